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

    def __init__(self, argv, keep=False):
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
        if process.returncode != 0:
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


def saved(binary, keys, small, directory):
    """A file with so many keys, and what is in it."""
    socket = os.path.join(directory, "socket")
    server = subprocess.Popen([binary, "--port", "0", "--save", "", "--dir", directory, "--unixsocket", socket],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 10
        while not os.path.exists(socket):
            if time.monotonic() > deadline:
                raise SystemExit("%s did not start" % binary)
            time.sleep(0.02)
        truth = fill.fill_redis(socket, keys, small=small)
        with fill.connect(socket) as link:
            link.settimeout(600)
            link.sendall(fill.encode(b"SAVE"))
            if not link.recv(64).startswith(b"+OK"):
                raise SystemExit("%s did not save" % binary)
        return os.path.join(directory, "dump.rdb"), truth
    finally:
        server.kill()
        server.wait()


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
            path, truth = saved(asked.server, keys, False, directory)
            compare(lines, asked, program, path, "%d keys" % keys, rounds, truth)
        if asked.ten_million:
            with tempfile.TemporaryDirectory(prefix="cachedeck-bench-") as directory:
                path, truth = saved(asked.server, 10_000_000, True, directory)
                compare(lines, asked, program, path, "10,000,000 keys", rounds, truth)
    raise SystemExit(1 if lines.missed else 0)


if __name__ == "__main__":
    main()
