"""Measures the cost of a request in Cachefront and in other services: `make bench`. Writes docs/benchmarks.md.

    python3 scripts/bench [--cores N] [--quick] [--into FILE] [--programs FOLDER] [--secs N] [--rounds N]

Everything is reached over the loopback address, on free ports and in a temporary folder, and is stopped at the end.
"""

import argparse
import datetime
import os
import signal
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import cores_page
import latency
import measured
import page
import plot
import programs
from cores import Cores
from plan import Plan
from rounds import say
from system import Stage, commit, machine


def arguments():
    parser = argparse.ArgumentParser(prog="scripts/bench", description="Measures the cost of a request in Cachefront and in other services.")
    parser.add_argument("--cores", type=int, metavar="N", help="measure 1, 2, 4, … N workers, with CPUs apart for the service, Redis and the load")
    parser.add_argument("--quick", action="store_true", help="one short round, to see that it works; writes no page")
    parser.add_argument("--into", metavar="FILE", help="write the tables to this file instead of docs/benchmarks.md")
    parser.add_argument("--programs", metavar="FOLDER", help="folder of cachefront, bare, drive, redis-server, wrk, …; what it lacks is taken from PATH")
    parser.add_argument("--commit", help="the commit that the programs are from, if not that of the checkout")
    parser.add_argument("--secs", type=int, help="seconds for each row in a round")
    parser.add_argument("--rounds", type=int)
    return parser.parse_args()


def measure(secs, rounds, idle_count):
    """Measures on shared CPUs."""
    with Stage() as stage:
        plan = Plan(stage, secs, rounds)
        results = {"at_rest_kib": plan.at_rest_kib, "idle_count": idle_count, "busy": plan.busy()}
        results["main"] = plan.main()
        print(page.main_table(results["main"]), flush=True)
        results["rates"] = latency.same_rates(plan)
        results["curves"] = latency.curves(plan)
        plan.stop_peers()
        results["sizes"] = plan.sizes()
        results["connections"] = plan.connections()
        results["keys"] = plan.keys()
        results["handshakes"] = plan.handshakes()
        results["idle"] = plan.idle(idle_count)
        results["shards"] = plan.shards()
        return results


def write(text, part, given):
    """Prints the tables, and writes them to the file that was asked for or into the page. Returns the file, if there is one."""
    print(text)
    if given.into:
        with open(given.into, "w") as file:
            file.write(text)
        return given.into
    if given.quick:
        return None
    measured.write(text, page.PAGE, part)
    return page.PAGE


def shared(given, run):
    secs, rounds, idle_count = (1, 1, 1000) if given.quick else (given.secs or 4, given.rounds or 5, 10_000)
    results = measure(secs, rounds, idle_count)
    written = write(page.text(results, run, secs, rounds), "measured", given)
    if written:
        plot.write(results, os.path.dirname(written))


def apart(given, run):
    secs, rounds = (1, 1) if given.quick else (given.secs or 3, given.rounds or 2)
    with Stage() as stage:
        results = Cores(stage, given.cores, secs, rounds).run()
    write(cores_page.text(results, run, secs, rounds), "cores", given)


def main():
    # An exception, so that the processes are stopped on SIGTERM too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("bench: stopped by SIGTERM"))
    given = arguments()
    if given.programs:
        programs.use(given.programs)
    date = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d")
    run = f"{given.commit or commit()}, {date}, {machine()}"
    say(run)
    if given.cores:
        apart(given, run)
    else:
        shared(given, run)


if __name__ == "__main__":
    main()
