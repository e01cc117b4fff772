#!/usr/bin/env python3
"""`cachedeck info` beside `redis-cli INFO` and `iredis`: whole processes, run in turn.

    cargo build --release && benches/oneshot.py [--rounds 60]

Prints the medians and the median of the paired ratios. The aims: at most 0.8 of redis-cli, at
most 1/20 of iredis (compared when it is on PATH).
"""

import argparse

import meter


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("--rounds", type=int, default=60)
    rounds = arguments.parse_args().rounds
    program, server, met = meter.program(), meter.Redis(), []
    try:
        ours = [program, server.url, "info"]
        peers = [("redis-cli", ["redis-cli", "-p", str(server.port), "INFO"], 0.8, rounds),
                 ("iredis", ["iredis", "-p", str(server.port), "INFO"], 0.05, max(5, rounds // 10))]
        for name, theirs, aim, times in peers:
            if meter.peer(name) is None:
                continue
            mine, other, ratio = meter.ratio_in_turn(ours, theirs, times)
            print("cachedeck info %.2f ms, %s INFO %.2f ms" % (mine * 1e3, name, other * 1e3))
            met.append(meter.verdict("cachedeck info / %s INFO" % name, ratio, aim))
    finally:
        server.close()
    raise SystemExit(0 if all(met) else 1)


main()
