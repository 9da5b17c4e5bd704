"""Measurements that take turns."""

import statistics
import sys


def say(text):
    print(f"[bench] {text}", file=sys.stderr, flush=True)


def in_rounds(rounds, steps):
    """Measures each step once in every round, so that a disturbance meets all of them. Returns the medians by name."""
    runs = {name: [] for name in steps}
    for number in range(rounds):
        say(f"round {number + 1} of {rounds}: {'; '.join(map(str, steps))}")
        for name, measure in steps.items():
            runs[name].append(measure())
    return {name: medians(figures) for name, figures in runs.items()}


def medians(runs):
    """Returns the median of each figure."""
    return {name: statistics.median(run[name] for run in runs) for name in runs[0]}
