#!/usr/bin/env python3
"""The browser over many names: walk to a sorted tree, memory, folders, jumps, pages, filters.

    cargo build --release && benches/browser.py [--keys 10000000] [--rounds 3]

A private server is filled with names of 27 bytes on average. The walk's peer is a loop of SCAN with
COUNT 1000 that does nothing with what it gets, or with --redis-cli one of 8 or later that prints the
names (`--scan --count 1000`, to /dev/null), in turn with the dashboard. Every line says what was aimed
at.
"""

import argparse
import os
import socket
import statistics
import subprocess
import time

import meter

FILL = b"""
local first, last = tonumber(ARGV[1]), tonumber(ARGV[2])
for n = first, last do
  local kind = n % 10
  if kind < 4 then redis.call('SET', 'user:' .. n .. ':profile', 'x')
  elseif kind < 6 then redis.call('SET', 'session:' .. redis.sha1hex(n), 'x', 'EX', 86400)
  elseif kind < 8 then redis.call('SET', 'cart:' .. n .. ':items', 'x')
  elseif kind < 9 then redis.call('SET', 'page:/shop/' .. (n % 977) .. '/item/' .. n, 'x')
  else redis.call('SET', 'counter:2026-11-' .. (10 + n % 20) .. ':' .. n, 'x') end
end
"""


def fill(server, keys):
    for start in range(0, keys, 20_000):
        last = min(start + 20_000, keys) - 1
        server.command(b"EVAL", FILL, b"0", b"%d" % start, b"%d" % last)


def scan(server, count=1000):
    """Seconds of one SCAN after the other, with nothing done to the names but counting lines."""
    cursor, begun = b"0", time.perf_counter()
    with socket.create_connection(("127.0.0.1", server.port)) as link:
        while True:
            link.sendall(meter.encode((b"SCAN", cursor, b"COUNT", b"%d" % count)))
            reply = link.recv(1 << 20)
            while reply.count(b"\r\n", 0, 200) < 4:
                reply += link.recv(1 << 20)
            _, _, cursor, number, _ = reply.split(b"\r\n", 4)
            missing = 2 * int(number[1:]) - (reply.count(b"\r\n") - 4)
            while missing > 0:
                more = link.recv(1 << 20)
                missing -= more.count(b"\r\n")
            if cursor == b"0":
                return time.perf_counter() - begun


def printed(redis_cli, server):
    """Seconds of redis-cli, which prints what it gets."""
    begun = time.perf_counter()
    argv = [redis_cli, "-p", str(server.port), "--scan", "--count", "1000"]
    subprocess.run(argv, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - begun


def walk(program, server, limit=600):
    """A dashboard that has walked everything at full speed into a tree, and the seconds that took."""
    screen = meter.Terminal([program, server.url], 110, 40)
    screen.rest(1)
    screen.key(b"2")
    screen.key(b"v")
    begun = screen.now()
    screen.key(b"f")
    # The state is drawn as a whole when the walk ends, and a key asks for nothing new.
    while screen.now() - begun < limit:
        screen.read(0.05)
        tail = meter.ESCAPE.sub(b"", bytes(screen.text[-20_000:]))
        if b"seen by" in tail:
            return screen, screen.now() - begun
    raise SystemExit("the walk did not end")


def settled(screen, data, quiet=0.12, limit=5.0):
    """Seconds until nothing more was drawn after a key press."""
    while screen.read(0.05) is not None:
        pass
    sent = last = screen.now()
    os.write(screen.master, data)
    while screen.now() - sent < limit:
        at = screen.read(quiet)
        if at is None:
            break
        last = at
    return last - sent


def worst(screen, keys):
    waits = [screen.key(key)[0] for key in keys]
    if os.environ.get("DETAILS"):
        print([(key, wait and round(wait * 1e3, 1)) for key, wait in zip(keys, waits)])
    return max((wait for wait in waits if wait is not None), default=None)


def milliseconds(seconds):
    return None if seconds is None else seconds * 1e3


def at_rest(screen):
    met = []
    keys = [b"j", b"\r", b"j", b"\x06", b"\x06", b"k", b"G", b"\x02", b"g"]
    met.append(meter.verdict("open a folder, next page, last page", milliseconds(worst(screen, keys)), 16, " ms"))
    jumps = []
    for name in (b"user:77", b"session:a", b"cart:123", b"page:/shop/5"):
        screen.key(b"O")
        os.write(screen.master, name)
        screen.rest(0.2)
        jumps.append(screen.key(b"\r")[0])
        screen.rest(0.2)
    met.append(meter.verdict("jump to a prefix", milliseconds(max(jumps)), 16, " ms"))
    screen.key(b"v")
    screen.rest(0.5)
    first, whole = [], []
    for letter in (b"7", b"a", b"i"):
        screen.key(b"/")
        screen.rest(0.2)
        whole.append(settled(screen, letter))
        screen.key(b"\x7f")
        screen.rest(0.5)
        first.append(screen.key(letter)[0])
        screen.rest(0.5)
        screen.key(b"\x1b")
        screen.rest(0.3)
    met.append(meter.verdict("substring filter: first page", milliseconds(max(first)), 30, " ms"))
    met.append(meter.verdict("substring filter: whole count", milliseconds(max(whole)), 300, " ms"))
    return met


def during_the_walk(program, server):
    screen = meter.Terminal([program, server.url], 110, 40)
    try:
        screen.rest(1)
        for key in (b"2", b"v", b"f"):
            screen.key(key)
        screen.rest(2)
        keys = [b"j", b"j", b"\r", b"\x06", b"\x06", b"h", b"j", b"\r", b"G", b"g"] * 2
        return [meter.verdict("the same while the walk goes on", milliseconds(worst(screen, keys)), 16, " ms")]
    finally:
        screen.close()


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("--keys", type=int, default=10_000_000)
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--redis-cli", help="one of 8 or later, as the peer of the walk")
    options = arguments.parse_args()
    program, server, met = meter.program(), meter.Redis(), []
    try:
        fill(server, options.keys)
        ratios, memory = [], []
        what = "redis-cli --scan --count 1000" if options.redis_cli else "SCAN COUNT 1000 alone"
        for turn in range(options.rounds):
            peer = printed(options.redis_cli, server) if options.redis_cli else scan(server)
            screen, ours = walk(program, server)
            memory.append(screen.resident_kib() / 1024)
            ratios.append(ours / peer)
            print("walk to a sorted, counted tree of %d names: %.1f s; %s: %.1f s" % (options.keys, ours, what, peer))
            if turn == options.rounds - 1:
                met += at_rest(screen)
            screen.close()
        met.append(meter.verdict("walk to a sorted, counted tree beside " + what, statistics.median(ratios), 1.1, " x"))
        met.append(meter.verdict("memory of the browser, peak", max(memory), max(220e-7 * options.keys, 100), " MiB"))
        met += during_the_walk(program, server)
    finally:
        server.close()
    raise SystemExit(0 if all(met) else 1)


main()
