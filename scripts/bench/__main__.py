"""Measures the cost of a request in Cachefront and in other services: `make bench`. Writes docs/benchmarks.md.

    python3 scripts/bench [--quick] [--no-page] [--secs N] [--rounds N]

Everything runs on the loopback address, on free ports and in a temporary folder, and is stopped at the end.
"""

import argparse
import datetime
import os
import signal
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import measured
import page
import plot
from plan import Plan, say
from system import Stage, machine


def arguments():
    parser = argparse.ArgumentParser(prog="scripts/bench", description="Measures the cost of a request in Cachefront and in other services.")
    parser.add_argument("--quick", action="store_true", help="one short round, to see that it works; writes no page")
    parser.add_argument("--secs", type=int, default=4, help="seconds for each row in a round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--no-page", action="store_true", help="print only")
    return parser.parse_args()


def measure(secs, rounds, idle_count):
    with Stage() as stage:
        plan = Plan(stage, secs, rounds)
        results = {"at_rest_kib": plan.at_rest_kib, "idle_count": idle_count}
        results["main"] = plan.main()
        print(page.main_table(results["main"]), flush=True)
        results["sizes"] = plan.sizes()
        results["connections"] = plan.connections()
        results["keys"] = plan.keys()
        results["open_loop"] = plan.open_loop(plan.capacities())
        results["handshakes"] = plan.handshakes()
        results["idle"] = plan.idle(idle_count)
        results["shards"] = plan.shards()
        return results


def main():
    # An exception, so that the processes are stopped on SIGTERM too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("bench: stopped by SIGTERM"))
    given = arguments()
    secs, rounds, idle_count = (1, 1, 1000) if given.quick else (given.secs, given.rounds, 10_000)
    say(f"on {machine()}")
    results = measure(secs, rounds, idle_count)
    date = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d")
    text = page.text(results, machine(), date, secs, rounds)
    print(text)
    if not given.no_page and not given.quick:
        measured.write(text, page.PAGE)
        plot.write(results["main"])


if __name__ == "__main__":
    main()
