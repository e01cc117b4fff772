#!/usr/bin/env python3
"""A keyspace there and back: fetched, restored into another server, and held against both.

    cargo build --release && benches/roundtrip.py [--keys 1000000] [--rounds 3] [--server redis-server]

A server is filled with every type (fill.py). Its copy is fetched in turn with `redis-cli --rdb`, and once
more by `analyze --via rdb`, which reads it while it comes; then it is restored into an empty server, built
anew and as it stands. Afterwards nothing may differ: neither between the file and that server, nor between
the two servers. Memcached has the same in items.py.
"""

import argparse
import json
import os
import subprocess
import tempfile
import time

import fill
import meter
from snapshot import MIB, Lines, Run


class Server:
    """A server of our own on a unix socket that saves nothing by itself."""

    def __init__(self, binary, directory, name):
        self.socket = os.path.join(directory, name)
        self.url = "redis+unix://" + self.socket
        self.process = subprocess.Popen(
            [binary, "--port", "0", "--save", "", "--dir", directory, "--dbfilename", name + ".rdb",
             "--unixsocket", self.socket], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 10
        while not os.path.exists(self.socket):
            if time.monotonic() > deadline:
                raise SystemExit("%s did not start" % binary)
            time.sleep(0.02)

    def command(self, *words):
        with fill.connect(self.socket) as link:
            link.settimeout(600)
            link.sendall(fill.encode(*words))
            return link.recv(64)

    def close(self):
        self.process.kill()
        self.process.wait()


def difference(program, *sides):
    """What `snapshot diff` says; nothing is what it should be."""
    argv = [program, "snapshot", "diff", *sides, "--full-speed", "-o", "json"]
    begun = time.perf_counter()
    found = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
    if found.returncode not in (0, 1):
        raise SystemExit("%s failed with %d" % (argv, found.returncode))
    return json.loads(found.stdout)["data"], time.perf_counter() - begun


def fetches(lines, program, server, directory, rounds):
    """Fetch and analyse at once, and fetch into a file, each beside redis-cli; gives our file."""
    ours, theirs = os.path.join(directory, "ours.rdb"), os.path.join(directory, "theirs.rdb")
    peer = meter.peer("redis-cli")
    fetch = [program, server.url, "snapshot", "fetch", "--force", ours]
    analyse = [program, server.url, "analyze", "--via", "rdb", "-o", "json"]
    if peer:
        lines.beside("fetch / redis-cli --rdb", fetch, [peer, "-s", server.socket, "--rdb", theirs], rounds, 1.1)
        resident = lines.beside("fetch and analyse / redis-cli --rdb", analyse,
                                [peer, "-s", server.socket, "--rdb", theirs], rounds, 1.03)
        lines.row("    resident memory", "%.1f MiB" % (resident / MIB), "", resident / MIB, 32)
    else:
        Run(fetch)
    return ours


def restores(lines, program, binary, directory, path, origin, keys):
    for name, more in (("built anew", []), ("as it stands", ["--trust-payload"])):
        target = Server(binary, directory, name.replace(" ", "-"))
        try:
            walls = Run([program, target.url, "snapshot", "restore", path, "--yes", "--full-speed", *more])
            lines.row("restore, %s: %.0f keys/s, %.1f MiB" % (name, keys / walls.wall, walls.resident / MIB),
                      "%.2f s" % walls.wall, "", walls.resident / MIB, 64)
            for sides in ((path, target.url), (origin.url, target.url)):
                data, took = difference(program, *sides)
                is_same = not data["differs"] and data["same"] == keys
                lines.missed |= not is_same
                print("    %s: %s (%.2f s)" % ("file and server" if sides[0] == path else "server and server",
                                               "nothing differs" if is_same else "DIFFERENT: %s" % data, took))
        finally:
            target.close()


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("--keys", type=int, default=1_000_000)
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--server", default="redis-server", help="redis-server or valkey-server")
    asked = arguments.parse_args()
    program, lines = meter.program(), Lines()
    with tempfile.TemporaryDirectory(prefix="cachedeck-bench-") as directory:
        origin = Server(asked.server, directory, "origin")
        try:
            truth = fill.fill_redis(origin.socket, asked.keys)
            path = fetches(lines, program, origin, directory, asked.rounds)
            restores(lines, program, asked.server, directory, path, origin, truth.keys)
        finally:
            origin.close()
    raise SystemExit(1 if lines.missed else 0)


if __name__ == "__main__":
    main()
