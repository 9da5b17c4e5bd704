"""Writes the part "Cores" of docs/benchmarks.md from the figures."""

from cores import BARE, CONNECTIONS, HOT, HOT_SHARE, NEAR, READ, SKEW_SHARES
from tables import Section, goals, latencies, number, percent, table


def cost_table(counts):
    head = ["workers", "", "requests/s", "CPU µs/request", "÷ bare", "p50 µs", "p99 µs", "workers busy", "load busy, CPUs"]

    def row(count, name, figures):
        bare = counts[count][BARE]["cpu_us"]
        cells = [number(figures["per_sec"]), number(figures["cpu_us"], 1), number(figures["cpu_us"] / bare, 2)]
        cells += [*latencies(figures)[:2], percent(figures["cpus"] / count), number(figures["load_cpus"], 1)]
        return [str(count), name, *cells]

    return table(head, [row(count, name, figures) for count, rows in counts.items() for name, figures in rows.items()])


def growth(counts, name):
    """Returns the CPU time of a request with each number of workers, as a multiple of that with one."""
    return {count: rows[name]["cpu_us"] / counts[1][name]["cpu_us"] for count, rows in counts.items()}


def growth_table(counts):
    # The other products are measured with one number of workers only.
    names = [name for name in counts[1] if all(name in rows for rows in counts.values())]
    rows = [[name, *(number(factor, 2) for factor in growth(counts, name).values())] for name in names]
    return table(["workers", *map(str, counts)], rows)


def rates_table(rates):
    head = ["", "requests/s", "p50 µs", "p99 µs", "p99.9 µs", "CPUs of the load busy"]

    def row(key, figures):
        name, share = key
        return [f"{name}, {percent(share)}", number(figures["per_sec"]), *latencies(figures), percent(figures["busy"])]

    return table(head, [row(*item) for item in rates.items()])


def skew_table(skew):
    head = ["rate, hot connections", "requests/s", "busiest worker", "hot p50 µs", "p99 µs", "p99.9 µs", "cold p50 µs", "p99 µs", "p99.9 µs"]
    kinds = {"apart": "spread over the workers", "together": "all on one worker"}

    def row(key, figures):
        share, kind = key
        cells = [number(figures["per_sec"]), percent(figures["busiest"])]
        return [f"{percent(share)}, {kinds[kind]}", *cells, *latencies(figures, "hot_"), *latencies(figures, "cold_")]

    return table(head, [row(*item) for item in skew.items()])


def goal_lines(results):
    counts, rates = results["counts"], results["rates"]
    near, bare = growth(counts, NEAR), growth(counts, BARE)
    lines = [
        (f"growth of READ from the near cache with {count} workers ÷ that of the bare reply", near[count] / bare[count], "≤", 1.1) for count in list(counts)[1:]
    ]

    def p99(name, share):
        return rates[name, share]["p99_us"] / rates[BARE, share]["p99_us"]

    skew = results["skew"]
    if skew:
        factor = skew[0.25, "together"]["hot_p99_us"] / skew[0.25, "apart"]["hot_p99_us"]
        lines.append(("p99 of hot connections on one worker ÷ spread, at 25 %", factor, "≤", 3))
    return [
        *lines,
        ("p99 of READ at 80 % ÷ bare reply at the same rate", p99(READ, 0.8), "≤", 1.0),
        ("p99 of READ at 50 % ÷ bare reply at the same rate", p99(READ, 0.5), "≤", 3),
        ("p99 of READ from the near cache at 50 % ÷ bare reply at the same rate", p99(NEAR, 0.5), "≤", 1.0),
    ]


def text(results, run, secs, rounds):
    half = results["half"]
    workers = f"{half} worker" if half == 1 else f"{half} workers"
    section = Section(run, f"CPUs apart: {results['split']}. Medians of {rounds} interleaved rounds of {secs} s.\n")
    section.add("Cost with more workers", cost_table(results["counts"]))
    section.add("CPU time of a request ÷ that with one worker", growth_table(results["counts"]))
    capacity = f"{results['capacity']:,.0f} requests/s, the capacity of READ with {workers}"
    section.add(f"Latency at a fixed rate, {workers}", rates_table(results["rates"]), f"{CONNECTIONS} connections; rates in parts of {capacity}.")
    if results["skew"]:
        asked = " and ".join(percent(HOT_SHARE * share * half) for share in SKEW_SHARES)
        note = (
            f"READ; {HOT} hot connections carry {percent(HOT_SHARE)} of the load, the others the rest; rates in parts of {capacity}. "
            f"All on one worker, the hot connections ask for {asked} of what it can answer."
        )
        section.add(f"Lasting skew, {workers}", skew_table(results["skew"]), note)
    section.add("Goals with CPUs apart", goals(goal_lines(results)))
    return section.text()
