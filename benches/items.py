#!/usr/bin/env python3
"""A Memcached server's items as a file and back, beside memcached-tool.

    cargo build --release && benches/items.py [--items 1000000] [--rounds 3] [--no-peer] [--quick]

Starts servers of its own on unix sockets and fills them (fill.py). The peer is asked once, since it
takes minutes; ours is run in rounds, and medians are told. What another client feels is measured
with a fetch on its usual budget and at full speed.
"""

import argparse
import os
import random
import signal
import statistics
import tempfile
import time

import fill
import keys
import meter


class Reader(keys.Reader):
    """Another client of Memcached."""

    def run(self, path, names, end):
        asked, chance = [], random.Random(7)
        wants = [False]
        signal.signal(signal.SIGTERM, lambda *_: wants.__setitem__(0, True))
        with fill.connect(path) as link:
            while not wants[0]:
                begun = time.perf_counter()
                link.sendall(b"get %s\r\n" % chance.choice(names))
                said = b""
                while not said.endswith(b"END\r\n"):
                    said += link.recv(1 << 16)
                asked.append(time.perf_counter() - begun)
                time.sleep(0.0002)
        asked.sort()
        os.write(end, b"%.9f" % asked[len(asked) * 99 // 100])


def others(lines, fetch, server, rounds, span):
    names = [b"user:%d" % number for number in range(2000)]
    waits = {"idle": [], "budget": [], "full": []}
    keys.Reader = Reader
    for _ in range(rounds):
        waits["idle"].append(keys.felt(server, names, span))
        waits["budget"].append(keys.felt(server, names, span, fetch))
        waits["full"].append(keys.felt(server, names, span, [*fetch, "--full-speed"]))
    for pace, words in (("budget", "on a budget"), ("full", "at full speed")):
        ratio = statistics.median(busy / idle for busy, idle in zip(waits[pace], waits["idle"]))
        micros = lambda waits: "%.0f us" % (statistics.median(waits) * 1e6)
        lines.row("another client's p99, fetch %s / idle" % words, micros(waits[pace]), micros(waits["idle"]), ratio, 3.0)


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("--items", type=int, default=1_000_000)
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--no-peer", action="store_true")
    arguments.add_argument("--quick", action="store_true")
    asked = arguments.parse_args()
    items, rounds, span = (50_000, 1, 1.0) if asked.quick else (asked.items, asked.rounds, 4.0)
    program, binary, tool = meter.program(), meter.peer("memcached"), keys.tool_of_memcached()
    print("%d items, %d rounds; load %.1f: a %s machine" % (items, rounds, keys.LOAD, "quiet" if keys.IS_QUIET else "busy"))
    lines = keys.Lines()
    server, other = keys.Memcached(binary), keys.Memcached(binary)
    with tempfile.TemporaryDirectory(prefix="cachedeck-bench-") as directory:
        try:
            fill.fill_memcached(server.path, items)
            path = os.path.join(directory, "a.items")
            fetch = [program, server.url, "snapshot", "fetch", path, "--force", "-o", "json"]
            runs = [keys.Run([*fetch, "--full-speed"], keeps=True) for _ in range(rounds)]
            wall = keys.middle(runs, lambda run: run.wall)
            lines.truth("every item is in the file", all(run.data()["items"] == items for run in runs))
            if tool and not asked.no_peer:
                peer = keys.Run([tool, server.path, "dump"])
                lines.row("fetch / memcached-tool dump: wall", keys.seconds(wall), keys.seconds(peer.wall), wall / peer.wall, 1 / 20, "%.3f")
            else:
                print(keys.ROW % ("fetch: wall", keys.seconds(wall), "", "", "", ""))
            resident = max(run.resident for run in runs)
            lines.row("fetch: resident memory", "%.1f MiB" % (resident / keys.MIB), None, resident / keys.MIB, 64, "%.0f")
            packed = keys.Run([*fetch, "--full-speed", "--compress", "zstd"])
            print(keys.ROW % ("fetch, packed: wall", keys.seconds(packed.wall), "", "", "", ""))
            restore = keys.Run([program, other.url, "snapshot", "restore", path, "--yes", "--full-speed", "-o", "json"], keeps=True)
            print(keys.ROW % ("restore and a sample read back: wall", keys.seconds(restore.wall), "", "", "", ""))
            lines.row("restore: resident memory", "%.1f MiB" % (restore.resident / keys.MIB), None, restore.resident / keys.MIB, 64, "%.0f")
            diff = keys.Run([program, "snapshot", "diff", path, other.url, "--full-speed", "-o", "json"], keeps=True)
            print(keys.ROW % ("diff of file and server: wall", keys.seconds(diff.wall), "", "", "", ""))
            lines.row("diff: resident memory", "%.1f MiB" % (diff.resident / keys.MIB), None, diff.resident / keys.MIB, 256, "%.0f")
            lines.truth("nothing differs after a restore", diff.data()["same"] == items)
            others(lines, fetch, server, rounds, span)
        finally:
            server.close()
            other.close()
    raise SystemExit(1 if lines.missed else 0)


if __name__ == "__main__":
    main()
