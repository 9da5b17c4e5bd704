"""Attacks the service, and checks that nobody else notices: `make attack`. Prints a table.

    python3 scripts/attack [--short] [--program FILE] [--only WORD] [--secs N] [--into PAGE]

The service runs with 512 MiB of memory. It must survive; its resident memory must stay under 400 MiB and come back to 1.5
times what it was; and a well-behaved client must see no failure, and latencies within five times those of a quiet time.
`--short` leaves latencies out, because they say nothing on a busy machine. `--into` also writes the table between the marks of
a page.

Everything runs on the loopback address, on free ports and in a temporary folder, and is stopped at the end.
"""

import argparse
import datetime
import os
import signal
import sys
import time

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "bench"))

import measured
import page
from attacked import MIB, Target
from attacks import ALL
from services import TARGET
from system import Stage, machine
from witness import Witness

RESIDENT_BYTES_MAX = 400 * MIB
REST_RATIO_MAX = 1.5
REST_SECS_MAX = 60
P99_RATIO_MAX = 5
QUIET_SECS = 5


def arguments():
    parser = argparse.ArgumentParser(prog="scripts/attack", description="Attacks the service, and checks that nobody else notices.")
    parser.add_argument("--program", default=os.path.join(TARGET, "cachefront"))
    parser.add_argument("--short", action="store_true", help="a few seconds each, without latencies")
    parser.add_argument("--only", default="", help="only the attacks whose name has this word")
    parser.add_argument("--secs", type=float, default=20, help="seconds for each attack")
    parser.add_argument("--into", help="a page whose table is replaced")
    return parser.parse_args()


class Outcome:
    """What one attack did: memory before, at its peak and after it, and what the witness saw."""

    def __init__(self, attack, target, secs, quiet_p99):
        self.attack, self.quiet_p99, self.before = attack, quiet_p99, target.at_rest
        target.forget_peak()
        witness = Witness(target.port)
        self.run(attack(target), secs)
        self.alive = target.is_alive()
        self.requests, self.failures, self.p99 = witness.result()
        _, self.peak = target.resident()
        self.rest_secs = rest_secs(target, self.before)

    def run(self, attack, secs):
        try:
            attack.begin()
            end = time.monotonic() + secs
            while time.monotonic() < end:
                attack.again()
                time.sleep(0.2)
        finally:
            attack.end()

    def problems(self, with_latency):
        """Returns a sentence for each limit that did not hold."""
        if not self.alive:
            return ["the service ended"]
        found = []
        if self.failures:
            found.append(f"{len(self.failures)} of {self.requests + len(self.failures)} requests beside it failed, the first: {self.failures[0]}")
        if self.peak >= RESIDENT_BYTES_MAX:
            found.append(f"{self.peak // MIB} MiB were resident")
        if self.rest_secs is None:
            found.append(f"the memory did not come back to {REST_RATIO_MAX} times {self.before // MIB} MiB")
        if with_latency and self.p99 > P99_RATIO_MAX * self.quiet_p99:
            found.append(f"99 % of the requests beside it took up to {self.p99:.1f} ms, {self.quiet_p99:.1f} ms without it")
        return found


def rest_secs(target, before):
    """Waits until the memory is nearly what it was. Returns the seconds that it took, or nothing."""
    start = time.monotonic()
    while target.is_alive() and time.monotonic() - start < REST_SECS_MAX:
        if target.resident()[0] <= REST_RATIO_MAX * before:
            return time.monotonic() - start
        time.sleep(0.2)
    return None


def say(text):
    print(f"[attack] {text}", file=sys.stderr, flush=True)


def quiet_p99(target):
    witness = Witness(target.port)
    time.sleep(QUIET_SECS)
    requests, failures, p99 = witness.result()
    target.at_rest, _ = target.resident()
    if failures:
        sys.exit(f"attack: requests fail without any attack: {failures[0]}")
    say(f"without an attack: {requests} requests, p99 {p99:.1f} ms, {target.resident()[0] // MIB} MiB resident")
    return p99


def main():
    # An exception, so that the processes are stopped on SIGTERM too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("attack: stopped by SIGTERM"))
    given = arguments()
    secs = 2 if given.short else given.secs
    outcomes, failed = [], False
    with Stage() as stage:
        target = Target(stage, given.program)
        quiet = quiet_p99(target)
        for attack in ALL:
            if given.only not in attack.name:
                continue
            outcome = Outcome(attack, target, secs, quiet)
            outcomes.append(outcome)
            problems = outcome.problems(not given.short)
            failed |= bool(problems)
            say(f"{attack.name}: {'; '.join(problems) or page.summary(outcome)}")
            if not outcome.alive:
                say(target.log()[-2000:])
                target = Target(stage, given.program)
    date = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d")
    text = page.text(outcomes, machine(), date)
    print(text)
    if given.into:
        measured.write(text, given.into)
    sys.exit("attack: a limit does not hold" if failed else 0)


if __name__ == "__main__":
    main()
