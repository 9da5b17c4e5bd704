"""The table of what the attacks did."""

MIB = 1 << 20


def summary(outcome):
    return (
        f"{outcome.before // MIB} MiB before, {outcome.peak // MIB} MiB at most, back after {outcome.rest_secs:.0f} s; "
        f"{outcome.requests} requests beside it, p99 {outcome.p99:.1f} ms"
    )


def row(outcome):
    rest = "–" if outcome.rest_secs is None else f"{outcome.rest_secs:.0f}"
    cells = [outcome.attack.name, outcome.attack.limit, f"{outcome.before // MIB} / {outcome.peak // MIB}", rest]
    cells += [str(len(outcome.failures)), f"{outcome.quiet_p99:.1f} / {outcome.p99:.1f}"]
    return "| " + " | ".join(cells) + " |"


def text(outcomes, machine, date):
    lines = [
        f"{date}, {machine}; attackers, Redis and the client beside them on the same machine.\n",
        "| attack | limit | MiB resident before / at most | back after, s | failures beside it | its p99 before / meanwhile, ms |",
        "| --- | --- | ---: | ---: | ---: | ---: |",
        *map(row, outcomes),
    ]
    return "\n".join(lines) + "\n"
