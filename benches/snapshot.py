#!/usr/bin/env python3
"""Snapshot files, beside the tools that people use now: redis-check-rdb, rdb-cli of librdb, rdbtools.

    cargo build --release && benches/snapshot.py [--keys 1000000] [--rounds 5] [--quick] [--ten-million]
                                                 [--rdb-cli PATH] [--rdbtools PATH] [--file DUMP.RDB]

Fills a server of its own on a unix socket (fill.py), has it save, and reads the file with ours and with
the peers in turn, so that noise hits both; medians of the rounds and of the paired ratios are told. The
file is in the system's cache: reading it from a disk would be the disk's speed. redis-check-rdb checks
and counts; ours analyses as well, so the aim is hard. --file takes a file that is there already.

--quick takes 50,000 keys and one round: a test of the script more than of the program.
"""

import argparse
import json
import os
import statistics
import subprocess
import tempfile
import time

import fill
import meter

MIB = 1 << 20
ROW = "%-52s %10s %10s %7s %9s  %s"
LOAD = os.getloadavg()[0]


class Run:
    """A command, its time and its memory."""

    def __init__(self, argv, keep=False, codes=(0,)):
        out = subprocess.PIPE if keep else subprocess.DEVNULL
        begun = time.perf_counter()
        process = subprocess.Popen(argv, stdout=out, stderr=subprocess.DEVNULL)
        self.out = process.stdout.read() if keep else b""
        _, status, usage = os.wait4(process.pid, 0)
        self.wall = time.perf_counter() - begun
        self.cpu = usage.ru_utime + usage.ru_stime
        # A child begins as a copy of this script, and its pages count until it is another program.
        self.resident = usage.ru_maxrss * 1024
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode not in codes:
            raise SystemExit("%s failed with %d" % (argv, process.returncode))


class Lines:
    def __init__(self):
        self.missed = False
        print(ROW % ("", "ours", "theirs", "ratio", "aim", ""))

    def row(self, what, ours, theirs, ratio, aim):
        met = ratio <= aim
        self.missed |= not met
        print(ROW % (what, ours, theirs, "%.2f" % ratio, "<= %g" % aim, "met" if met else "MISSED"))

    def beside(self, what, ours, theirs, rounds, aim):
        Run(ours), Run(theirs)
        pairs = [(Run(ours), Run(theirs)) for _ in range(rounds)]
        mine, other = (statistics.median(run.wall for run in side) for side in zip(*pairs))
        ratio = statistics.median(a.wall / b.wall for a, b in pairs)
        self.row(what, "%.2f s" % mine, "%.2f s" % other, ratio, aim)
        cpu = statistics.median(a.cpu / b.cpu for a, b in pairs)
        print(ROW % ("    processor time", "%.2f s" % pairs[-1][0].cpu, "%.2f s" % pairs[-1][1].cpu, "%.2f" % cpu, "", ""))
        return max(a.resident for a, _ in pairs)


CHANGE = b"""
for n = 1, tonumber(ARGV[1]) do
  redis.call('SET', 'added:' .. n, 'x')
  redis.call('DEL', redis.call('RANDOMKEY'))
end
"""


def saved(binary, keys, small, directory):
    """A file with so many keys, what is in it, and a second file in which one key in a hundred is
    another one."""
    socket = os.path.join(directory, "socket")
    server = subprocess.Popen([binary, "--port", "0", "--save", "", "--dir", directory, "--unixsocket", socket],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    path, before = os.path.join(directory, "dump.rdb"), os.path.join(directory, "before.rdb")
    try:
        deadline = time.monotonic() + 10
        while not os.path.exists(socket):
            if time.monotonic() > deadline:
                raise SystemExit("%s did not start" % binary)
            time.sleep(0.02)
        truth = fill.fill_redis(socket, keys, small=small)
        with fill.connect(socket) as link:
            link.settimeout(600)
            for words in ((b"SAVE",), (b"EVAL", CHANGE, b"0", b"%d" % (keys // 200)), (b"SAVE",)):
                link.sendall(fill.encode(*words))
                if not link.recv(64).startswith((b"+OK", b"$-1")):
                    raise SystemExit("%s did not save" % binary)
                if not os.path.exists(before):
                    os.rename(path, before)
        return before, path, truth
    finally:
        server.kill()
        server.wait()


def differences(lines, program, before, after):
    """Two files held against each other, beside the analysis of one."""
    inspect = [program, "snapshot", "inspect", before, "-o", "json"]
    diff = [program, "snapshot", "diff", before, after, "-o", "json"]
    pairs = [(Run(diff, codes=(1,)), Run(inspect)) for _ in range(3)]
    mine, other = (statistics.median(run.wall for run in side) for side in zip(*pairs))
    lines.row("diff of two files / analysis of one", "%.2f s" % mine, "%.2f s" % other, mine / other, 4)
    resident = max(run.resident for run, _ in pairs)
    lines.row("    resident memory", "%.1f MiB" % (resident / MIB), "", resident / MIB, 256)


def opened(lines, program, path):
    """The dashboard on a file: how soon keys are seen, and a value."""
    first = []
    for _ in range(3):
        screen = meter.Terminal([program, path], 110, 40)
        os.write(screen.master, b"2")
        first.append((screen.until(b"cart:") or 99) * 1e3)
        screen.close()
    lines.row("first keys on the screen after the start", "%.0f ms" % max(first), "", max(first), 100)
    listed = subprocess.Popen([program, path, "keys", "--names"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    name = next(line for number, line in enumerate(listed.stdout) if number == 500_000 or not line).strip()
    listed.kill()
    listed.wait()
    screen = meter.Terminal([program, path], 110, 40)
    try:
        os.write(screen.master, b"2")
        indexed = screen.until(b"seen by", 60)
        print("    all keys are listed after %.1f s" % (indexed or 99))
        waits = []
        for _ in range(3):
            os.write(screen.master, b"o")
            screen.rest(0.3)
            os.write(screen.master, name)
            screen.rest(0.3)
            begun, mark = screen.now(), len(screen.text)
            os.write(screen.master, b"\r")
            while b" as " not in meter.ESCAPE.sub(b"", bytes(screen.text[mark:])) and screen.now() < begun + 5:
                screen.read(0.01)
            waits.append((screen.now() - begun) * 1e3)
            os.write(screen.master, b"\x1b")
            screen.rest(0.3)
        lines.row("a value on the screen, once indexed", "%.0f ms" % max(waits), "", max(waits), 50)
        print("    the dashboard's memory: %.1f MiB" % (screen.resident_kib() / 1024))
    finally:
        screen.close()


def compare(lines, asked, program, path, what, rounds, truth=None):
    size = os.path.getsize(path) / MIB
    print("%s: %.0f MiB" % (what, size))
    inspect = [program, "snapshot", "inspect", path, "-o", "json"]
    verify = [program, "snapshot", "verify", path]
    if truth is not None:
        data = json.loads(Run(inspect, keep=True).out)["data"]
        types = {row["type"]: row["keys"] for row in data["types"]}
        agrees = data["keys"] == truth.keys and types == dict(truth.types) and data["ttl"]["without"] == truth.without_ttl
        print("    the report agrees with what was written: %s" % ("yes" if agrees else "NO"))
        lines.missed |= not agrees
    check = meter.peer("redis-check-rdb")
    if check:
        resident = lines.beside("analyse / redis-check-rdb", inspect, [check, path], rounds, 0.6)
        lines.beside("verify every element / redis-check-rdb", verify, [check, path], rounds, 1.0)
    else:
        resident = Run(inspect).resident
    if asked.rdb_cli:
        lines.beside("analyse / rdb-cli json", inspect, [asked.rdb_cli, path, "json", "-o", "/dev/null"], rounds, 0.6)
    if asked.rdbtools:
        lines.beside("analyse / rdbtools memory", inspect, [asked.rdbtools, "-c", "memory", path], 1, 0.1)
    lines.row("resident memory", "%.1f MiB" % (resident / MIB), "", resident / MIB, 32)


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("--keys", type=int, default=1_000_000)
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--quick", action="store_true")
    arguments.add_argument("--ten-million", action="store_true")
    arguments.add_argument("--server", default="redis-server", help="redis-server or valkey-server")
    arguments.add_argument("--rdb-cli", help="rdb-cli of librdb")
    arguments.add_argument("--rdbtools", help="the program rdb of rdbtools")
    arguments.add_argument("--file", help="a snapshot that is there already")
    asked = arguments.parse_args()
    keys, rounds = (50_000, 1) if asked.quick else (asked.keys, asked.rounds)
    program = meter.program()
    print("load %.1f: a %s machine" % (LOAD, "quiet" if LOAD < 0.7 else "busy"))
    lines = Lines()
    if asked.file:
        compare(lines, asked, program, asked.file, asked.file, rounds)
    else:
        with tempfile.TemporaryDirectory(prefix="cachedeck-bench-") as directory:
            before, after, truth = saved(asked.server, keys, False, directory)
            compare(lines, asked, program, before, "%d keys" % keys, rounds, truth)
            differences(lines, program, before, after)
        if asked.ten_million:
            with tempfile.TemporaryDirectory(prefix="cachedeck-bench-") as directory:
                before, after, truth = saved(asked.server, 10_000_000, True, directory)
                compare(lines, asked, program, before, "10,000,000 keys", rounds, truth)
                differences(lines, program, before, after)
                opened(lines, program, before)
    raise SystemExit(1 if lines.missed else 0)


if __name__ == "__main__":
    main()
