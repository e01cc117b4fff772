#!/usr/bin/env python3
"""The dashboard on a terminal: first frames, bytes, processor time, answers to keys, memory.

    cargo build --release && benches/screen.py [--seconds 10] [--keys 1000000]

Every line says what was aimed at. `btm` is measured in the same run when it is on PATH.
"""

import argparse
import signal
import statistics

import meter


def first_frames(program, server, rounds=7):
    def once(url, words):
        screen = meter.Terminal([program, url])
        try:
            return screen.until(words)
        finally:
            screen.close()

    # Any number of the server's own will do; its version stands in the header.
    version = server.command(b"INFO", b"server").split(b"redis_version:")[1].split(b"\r\n")[0]
    live = statistics.median(once(server.url, version) or 99 for _ in range(rounds))
    dead = statistics.median(once("redis://127.0.0.1:%d" % meter.free_port(), b"refused") or 99 for _ in range(rounds))
    return [meter.verdict("first frame with server data", live * 1e3, 30, " ms"),
            meter.verdict("first frame against a dead server", dead * 1e3, 60, " ms")]


def btm(seconds):
    path = meter.peer("btm")
    if path is None:
        return
    screen = meter.Terminal([path])
    try:
        screen.rest(2)
        rate, cpu = screen.rest(seconds)
        print("btm beside: %.0f B/s, %.2f %% of a core, %d KiB" % (rate, cpu * 100, screen.resident_kib()))
    finally:
        screen.close()


def idle(program, server, seconds):
    screen = meter.Terminal([program, server.url])
    try:
        screen.rest(3)
        rate, cpu = screen.rest(seconds)
        print("bytes to the terminal, idle server (uptime and our own readings change): %.0f B/s" % rate)
        met = [meter.verdict("processor, idle server, 1 Hz", cpu * 100, 0.2, " %"),
               meter.verdict("resident memory", screen.resident_kib() / 1024, 16, " MiB")]
    finally:
        screen.close()
    screen = meter.Terminal([program, server.url, "--interval", "1h"])
    try:
        # What says how old the reading is steps once and then stays for a minute.
        screen.rest(8)
        rate, _ = screen.rest(seconds)
        return met + [meter.verdict("bytes to the terminal while no shown value changes", rate, 0, " B/s")]
    finally:
        screen.close()


def loaded(program, server, seconds):
    traffic = meter.Traffic(server)
    screen = meter.Terminal([program, server.url])
    try:
        screen.rest(3)
        rate, cpu = screen.rest(seconds)
        return [meter.verdict("bytes to the terminal, server under load, 120x40", rate, 600, " B/s"),
                meter.verdict("processor, server under load", cpu * 100, 0.4, " %")]
    finally:
        screen.close()
        traffic.close()


def press(screen, times, key=b"j"):
    answers = [screen.key(key) for _ in range(times)]
    waits = [wait for wait, _ in answers if wait is not None]
    return (statistics.median(waits) if waits else None, max(waits, default=None),
            statistics.mean(size for _, size in answers), len(waits))


def keys_in_a_list(program, server):
    screen = meter.Terminal([program, server.url])
    try:
        screen.rest(1)
        screen.key(b"2")
        screen.rest(3)
        median, _, size, _ = press(screen, 25)
        return [meter.verdict("a key press in the list: bytes", size, 600, " B"),
                meter.verdict("a key press in the list: time", (median or 9) * 1e3, 2, " ms")]
    finally:
        screen.close()


def hard_times(program, server, count):
    """The answer to a key while the server hangs, while a million keys are walked, over a far link."""
    met = []
    screen = meter.Terminal([program, server.url])
    try:
        screen.rest(1)
        screen.key(b"2")
        _, worst, _, answered = press(screen, 20)
        met.append(meter.verdict("slowest key while %d keys are walked" % count, worst and worst * 1e3, 16, " ms"))
        server.signal(signal.SIGSTOP)
        _, worst, _, answered = press(screen, 20)
        server.signal(signal.SIGCONT)
        met.append(meter.verdict("slowest key while the server hangs (%d of 20 answered)" % answered,
                                 worst and worst * 1e3, 16, " ms"))
    finally:
        screen.close()
    relay = meter.Delay(server.port, 0.15)
    screen = meter.Terminal([program, relay.url])
    try:
        screen.rest(3)
        screen.key(b"2")
        screen.rest(2)
        _, worst, _, _ = press(screen, 20)
        met.append(meter.verdict("slowest key over a link of 300 ms", worst and worst * 1e3, 16, " ms"))
    finally:
        screen.close()
        relay.close()
    return met


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("--seconds", type=float, default=10)
    arguments.add_argument("--keys", type=int, default=1_000_000)
    options = arguments.parse_args()
    program, server, met = meter.program(), meter.Redis(), []
    try:
        met += first_frames(program, server)
        met += idle(program, server, options.seconds)
        btm(options.seconds)
        server.pipeline([(b"SET", b"small:%d" % n, b"x" * (n % 90)) for n in range(2000)])
        met += loaded(program, server, options.seconds)
        met += keys_in_a_list(program, server)
        for start in range(0, options.keys, 50_000):
            server.pipeline([(b"SET", b"user:%d:profile" % n, b"x") for n in range(start, min(start + 50_000, options.keys))])
        met += hard_times(program, server, options.keys)
    finally:
        server.close()
    raise SystemExit(0 if all(met) else 1)


main()
