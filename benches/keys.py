#!/usr/bin/env python3
"""Whole keyspaces, beside the tools that people use now: redis-cli and memcached-tool.

    cargo build --release && benches/keys.py [--keys 1000000] [--rounds 3] [--quick] [--ten-million]

Starts servers of its own on unix sockets, fills them (fill.py) and runs ours and the peer in turn, so
that noise hits both; medians of the rounds and of the paired ratios are told. Every line says what was
aimed at. Redis of before 7 tells no latencies, and `--count` needs a redis-cli of 8 or later: what a
peer or a server lacks is left out. The aims are those of a quiet machine with two cores: where other
work fights for them, ratios of time and counts hold, while processor time and what other clients feel
hold the scheduler's share, too.

--quick takes 50,000 keys and one round: a test of the script more than of the program.
"""

import argparse
import json
import os
import random
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

import fill
import meter

ROW = "%-50s %11s %11s %7s %9s  %s"
MIB = 1 << 20
# Before anything of ours runs. A machine with other work wakes up quickly, and redis-cli waits for that
# all the time.
LOAD = os.getloadavg()[0]
IS_QUIET = LOAD < 0.7


class Private:
    """A server on a socket in a directory that goes with it."""

    def __init__(self, binary, options):
        self.directory = tempfile.TemporaryDirectory(prefix="cachedeck-bench-")
        self.path = os.path.join(self.directory.name, "socket")
        self.process = subprocess.Popen([binary, *options, self.path], cwd=self.directory.name,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                fill.connect(self.path).close()
                return
            except OSError:
                time.sleep(0.02)
        self.close()
        raise SystemExit("%s did not start" % binary)

    def close(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.directory.cleanup()


class Redis(Private):
    def __init__(self, binary):
        super().__init__(binary, ["--port", "0", "--save", "", "--unixsocket"])
        self.url = "redis+unix://" + self.path

    def info(self, section):
        with fill.connect(self.path) as link, link.makefile("rb") as replies:
            link.sendall(fill.encode(b"INFO", section))
            length = int(replies.readline()[1:])
            lines = replies.read(length).decode().split("\r\n")
        return dict(line.split(":", 1) for line in lines if ":" in line)

    def cpu(self):
        told = self.info(b"cpu")
        return float(told["used_cpu_user"]) + float(told["used_cpu_sys"])

    def reads(self):
        """Turns of the server's loop that read something, the one for this question included."""
        return int(self.info(b"stats").get("total_reads_processed", 0))

    def forget_statistics(self):
        with fill.connect(self.path) as link:
            link.sendall(fill.encode(b"CONFIG", b"RESETSTAT"))
            link.recv(100)


class Memcached(Private):
    def __init__(self, binary):
        super().__init__(binary, [*(["-u", "root"] if os.geteuid() == 0 else []), "-m", "4096", "-s"])
        self.url = "memcached+unix://" + self.path


class Run:
    """A command that was run to its end: what it took and what it said."""

    def __init__(self, argv, server=None, keeps=False):
        cpu, reads = (server.cpu(), server.reads()) if server else (0, 0)
        with tempfile.TemporaryFile() as out:
            begun = time.perf_counter()
            process = subprocess.Popen(argv, stdout=out if keeps else subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            # What the system says at the end counts the moment before the program was loaded, too.
            self.resident = resident_until_end(process.pid) if keeps else None
            _, status, used = os.wait4(process.pid, 0)
            self.wall = time.perf_counter() - begun
            process.returncode = os.waitstatus_to_exitcode(status)
            if process.returncode != 0:
                raise SystemExit("%s ended with %d" % (argv, process.returncode))
            out.seek(0)
            self.said = out.read()
        self.cpu = used.ru_utime + used.ru_stime
        self.server_cpu = server.cpu() - cpu if server else None
        self.reads = server.reads() - reads if server else None

    def data(self):
        return json.loads(self.said)["data"]


def resident_until_end(pid):
    """The most memory that it had resident, by looking again and again."""
    most = 0
    while os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        with open("/proc/%d/status" % pid) as status:
            most = max([most, *(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))])
        time.sleep(0.005)
    return most


class Lines:
    """The table, and whether everything that was aimed at was met."""

    def __init__(self):
        self.missed = 0
        print(ROW % ("", "ours", "peer", "ratio", "aim", ""))

    def row(self, what, ours, peer, got, aim, shown="%.2f"):
        met = got is not None and got <= aim
        self.missed += not met
        ratio = "" if peer is None or got is None else shown % got
        print(ROW % (what, ours, peer or "", ratio, "<= " + (shown % aim), "met" if met else "MISSED"), flush=True)

    def truth(self, what, is_so):
        self.missed += not is_so
        print(ROW % (what, "", "", "", "equal", "met" if is_so else "MISSED"), flush=True)


def seconds(value):
    return "%.2f s" % value


def middle(runs, of):
    return statistics.median(of(run) for run in runs)


def in_turn(ours, theirs, server, rounds):
    """Both in turn, so often; the first round finds caches as the last one left them."""
    pairs = [(Run(ours, server), Run(theirs, server)) for _ in range(rounds)]
    return [mine for mine, _ in pairs], [other for _, other in pairs]


def beside(lines, what, mine, theirs, of, aim):
    ratio = statistics.median(of(a) / max(of(b), 1e-9) for a, b in zip(mine, theirs))
    lines.row(what, seconds(middle(mine, of)), seconds(middle(theirs, of)), ratio, aim)


def agrees(lines, data, truth):
    types = {row["type"]: row["keys"] for row in data["types"]}
    folders = {row["prefix"]: row["keys"] for row in data["prefixes"]}
    lines.truth("keys, types, folders and TTLs against the generator",
                data["keys"] == truth.keys and data["exact"] and types == dict(truth.types)
                and all(folders.get(folder) == keys for folder, keys in truth.folders.items())
                and data["ttl"]["without"] == truth.without_ttl)


def facts(lines, program, server, redis_cli, keys, rounds):
    ours = [program, server.url, "analyze", "--full-speed", "--ask", "type,ttl,size", "-o", "json"]
    peers = [("--memkeys", ["--memkeys"], 0.3 if IS_QUIET else 0.6, 0.65)]
    if knows_count(redis_cli):
        peers.append(("--keystats --count 1000", ["--keystats", "--count", "1000"], 0.75, 0.85))
    for name, words, wall, cpu in peers:
        mine, theirs = in_turn(ours, [redis_cli, "-s", server.path, *words], server, rounds)
        beside(lines, "type, TTL, size / redis-cli %s: wall" % name, mine, theirs, lambda run: run.wall, wall)
        beside(lines, "the same: server's processor time", mine, theirs, lambda run: run.server_cpu, cpu)
    trips = Run(ours, server, keeps=True)
    told = trips.data()["cost"]["round_trips"] * 1e6 / keys
    lines.row("the same: round trips per million keys, as told", "%.0f" % told, None, told, 11_000, "%.0f")
    print("%-50s %11.0f" % ("the same: reads that the server counted", trips.reads * 1e6 / keys))


def names(lines, program, server, redis_cli, rounds):
    ours = [program, server.url, "keys", "--names", "--full-speed"]
    mine, theirs = in_turn(ours, [redis_cli, "-s", server.path, "--scan"], server, rounds)
    beside(lines, "names / redis-cli --scan: wall", mine, theirs, lambda run: run.wall, 0.3)
    if knows_count(redis_cli):
        mine, theirs = in_turn(ours, [redis_cli, "-s", server.path, "--scan", "--count", "1000"], server, rounds)
        beside(lines, "names / redis-cli --scan --count 1000: wall", mine, theirs, lambda run: run.wall, 1.05)


def whole(lines, program, server, truth, rounds):
    """All that can be asked, with the whole analysis."""
    argv = [program, server.url, "analyze", "--full-speed", "-o", "json"]
    cpu = middle([Run(argv) for _ in range(rounds)], lambda run: run.cpu) * 1e6 / truth.keys
    lines.row("everything: our processor time per million keys", seconds(cpu), None, cpu, 0.6)
    run = Run(argv, keeps=True)
    resident = run.resident
    lines.row("everything: resident memory", "%.1f MiB" % (resident / MIB), None, resident / MIB, 32, "%.0f")
    agrees(lines, run.data(), truth)
    return resident


class Reader:
    """Another client: a process that gets one key after the other and knows how long each took."""

    def __init__(self, path, names):
        self.answers, end = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            # A child must never come back into the parent's code.
            try:
                self.run(path, names, end)
            finally:
                os._exit(0)
        os.close(end)

    def run(self, path, names, end):
        asked, chance = [], random.Random(7)
        wants = [False]
        signal.signal(signal.SIGTERM, lambda *_: wants.__setitem__(0, True))
        with fill.connect(path) as link:
            while not wants[0]:
                blob = fill.encode(b"GET", chance.choice(names))
                begun = time.perf_counter()
                link.sendall(blob)
                link.recv(1 << 16)
                asked.append(time.perf_counter() - begun)
                time.sleep(0.0002)
        asked.sort()
        os.write(end, b"%.9f" % asked[len(asked) * 99 // 100])

    def p99(self):
        os.kill(self.pid, signal.SIGTERM)
        said = os.read(self.answers, 100)
        os.close(self.answers)
        os.waitpid(self.pid, 0)
        return float(said) if said else None


def felt(server, names, span, argv=None):
    """What another client's slowest hundredth takes while the command runs over and over."""
    walker, until = None, time.monotonic() + span
    if argv:
        walker = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(0.3)
    reader = Reader(server.path, names)
    while (left := until - time.monotonic()) > 0:
        if walker and walker.poll() is not None:
            walker = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(min(left, 0.01))
    p99 = reader.p99()
    if walker:
        walker.kill()
        walker.wait()
    return p99


def others(lines, program, server, keys, rounds, span):
    names = [b"user:%d:profile" % number for number in range(0, keys, max(1, keys // 2000))]
    walk = [program, server.url, "analyze", "-o", "json"]
    waits = {"idle": [], "budget": [], "full": []}
    server.forget_statistics()
    for _ in range(rounds):
        waits["idle"].append(felt(server, names, span))
        waits["budget"].append(felt(server, names, span, walk))
        waits["full"].append(felt(server, names, span, [*walk, "--full-speed"]))
    for pace, aim in (("budget", 1.6), ("full", 3.5)):
        ratio = statistics.median(walked / idle for walked, idle in zip(waits[pace], waits["idle"]))
        micros = lambda waits: "%.0f us" % (statistics.median(waits) * 1e6)
        words = "another client's p99, walk %s / idle" % ("on a budget" if pace == "budget" else "at full speed")
        lines.row(words, micros(waits[pace]), micros(waits["idle"]), ratio, aim)
    slow = {}
    for name, line in server.info(b"latencystats").items():
        p99 = re.search(r"p99=([0-9.]+)", line)
        if p99 and name.split("_usec_")[-1] not in ("get", "info", "config|resetstat"):
            slow[name.split("_usec_")[-1]] = float(p99[1])
    if slow:
        worst = max(slow, key=slow.get)
        lines.row("our slowest command on the server, p99 (%s)" % worst, "%.0f us" % slow[worst], None, slow[worst], 1000, "%.0f")


def memcached(lines, program, items, rounds):
    binary, tool = meter.peer("memcached"), tool_of_memcached()
    if binary is None:
        return
    server = Memcached(binary)
    try:
        truth = fill.fill_memcached(server.path, items)
        ours = [program, server.url, "analyze", "-o", "json"]
        if tool:
            mine, theirs = in_turn(ours, [tool, server.path, "keys"], None, max(rounds, 5))
            beside(lines, "Memcached, everything / memcached-tool keys: wall", mine, theirs, lambda run: run.wall, 1.0)
        run = Run(ours, keeps=True)
        lines.row("Memcached: resident memory", "%.1f MiB" % (run.resident / MIB), None, run.resident / MIB, 32, "%.0f")
        agrees(lines, run.data(), truth)
    finally:
        server.close()


def tool_of_memcached():
    for path in (shutil.which("memcached-tool"), "/usr/share/memcached/scripts/memcached-tool"):
        if path and os.path.exists(path):
            return path
    print("memcached-tool is not installed, so it is not compared", file=sys.stderr)
    return None


def knows_count(redis_cli):
    said = subprocess.run([redis_cli, "--version"], capture_output=True, text=True).stdout
    version = re.search(r"(\d+)\.", said)
    return version is not None and int(version[1]) >= 8


def ten_million(lines, program, binary, resident):
    server = Redis(binary)
    try:
        truth = fill.fill_redis(server.path, 10_000_000, small=True)
        run = Run([program, server.url, "analyze", "--full-speed", "-o", "json"], server, keeps=True)
        print("%-50s %11s" % ("10 M keys, everything: wall", seconds(run.wall)))
        lines.row("10 M keys: resident memory / that of fewer", "%.1f MiB" % (run.resident / MIB), "%.1f MiB" % (resident / MIB),
                  run.resident / resident, 1.2)
        agrees(lines, run.data(), truth)
    finally:
        server.close()


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("--keys", type=int, default=1_000_000)
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--quick", action="store_true")
    arguments.add_argument("--ten-million", action="store_true")
    arguments.add_argument("--server", default="redis-server", help="redis-server or valkey-server")
    arguments.add_argument("--redis-cli", default="redis-cli", help="one of 8 or later is compared with --count, too")
    asked = arguments.parse_args()
    keys, rounds, span = (50_000, 1, 1.0) if asked.quick else (asked.keys, asked.rounds, 4.0)
    program, redis_cli = meter.program(), meter.peer(asked.redis_cli)
    print("%d keys, %d rounds, %s; load %.1f: a %s machine" % (keys, rounds, asked.server, LOAD, "quiet" if IS_QUIET else "busy"))
    server, lines = Redis(asked.server), Lines()
    try:
        truth = fill.fill_redis(server.path, keys)
        if redis_cli:
            facts(lines, program, server, redis_cli, keys, rounds)
            names(lines, program, server, redis_cli, rounds)
        resident = whole(lines, program, server, truth, rounds)
        others(lines, program, server, keys, rounds, span)
    finally:
        server.close()
    memcached(lines, program, keys, rounds)
    if asked.ten_million:
        ten_million(lines, program, asked.server, resident)
    raise SystemExit(1 if lines.missed else 0)


if __name__ == "__main__":
    main()
