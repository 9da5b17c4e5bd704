"""Writes the table of docs/failures.md from the measurements of the fault tests: python3 scripts/failures.py LINES PAGE

`make failures` runs the tests and this script. LINES has a line of JSON for each fault and run. The table replaces the text
between the two marks of PAGE; the prose around them stays.
"""

import json
import os
import statistics
import sys

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "bench"))

import measured

# The things that break, in the order of the table. Others come last.
ORDER = [
    "a replica",
    "all replicas",
    "the master",
    "all nodes",
    "the path to a replica",
    "the path to the master",
    "the paths to all nodes",
    "a DNS name",
    "one of two instances",
    "callers",
    "Sentinels",
    "a master of a cluster",
    "a slot of a cluster",
]


def place(what):
    """Returns the position of a row in the table."""
    return ORDER.index(what) if what in ORDER else len(ORDER)


def figures(values):
    """Returns median and maximum, or one figure if they are the same."""
    middle, worst = round(statistics.median(values)), max(values)
    return f"{middle}" if middle == worst else f"{middle} / {worst}"


def middle_of(values):
    """Returns the median."""
    return f"{round(statistics.median(values))}"


def codes(runs, name):
    """Returns the error codes of all runs, most frequent first."""
    total = {}
    for run in runs:
        for code, count in run[name].items():
            total[code] = total.get(code, 0) + count
    return ", ".join(f"`{code}`" for code, _ in sorted(total.items(), key=lambda item: -item[1]))


def failed(runs, name):
    """Returns the number of failed requests and their error codes."""
    counts = figures([sum(run[name].values()) for run in runs])
    named = codes(runs, name)
    return f"{counts} {named}" if named else counts


def row(what, fault, runs):
    """Returns one row of the table."""
    cells = [
        what,
        fault,
        middle_of([run["requests"] for run in runs]),
        failed(runs, "reads_failed"),
        failed(runs, "writes_failed"),
        figures([run["read_stall_ms"] for run in runs]),
        figures([run["write_stall_ms"] for run in runs]),
        middle_of([run["acknowledged"] for run in runs]),
        figures([run["lost"] for run in runs]),
    ]
    return "| " + " | ".join(cells) + " |"


def table(lines):
    """Returns the table for all lines."""
    faults = {}
    for line in lines:
        faults.setdefault((line["what"], line["fault"]), []).append(line)
    fewest, most = (count(len(runs) for runs in faults.values()) for count in (min, max))
    runs = str(most) if fewest == most else f"{fewest} to {most}"
    head = ["what", "fault", "requests", "failed reads", "failed writes", "longest stall of reads, ms"]
    head += ["of writes, ms", "acknowledged writes", "of these lost"]
    text = [f"Runs: {runs}. Requests and acknowledged writes are medians; where there are two figures, they are the median and the worst.", ""]
    text += ["| " + " | ".join(head) + " |", "| --- | --- |" + " ---: |" * (len(head) - 2)]
    ordered = sorted(faults.items(), key=lambda item: (place(item[0][0]), item[0]))
    text += [row(what, fault, runs) for (what, fault), runs in ordered]
    return "\n".join(text)


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    with open(sys.argv[1], encoding="utf-8") as file:
        lines = [json.loads(line) for line in file if line.strip()]
    if not lines:
        sys.exit(f"failures.py: {sys.argv[1]} has no lines: the fault tests measured nothing")
    measured.write(table(lines), sys.argv[2])


if __name__ == "__main__":
    main()
