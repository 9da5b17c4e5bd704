"""Writes the measured part of docs/benchmarks.md from the figures."""

import os

import plot
from latency import BUSY_MAX, CURVE_SHARES
from programs import ROOT
from tables import Section, goals, latencies, number, percent, table

PAGE = os.path.join(ROOT, "docs", "benchmarks.md")


def figures_row(name, figures, base):
    cpu = figures.get("cpu_us")
    return [
        name, number(figures["per_sec"]), number(cpu, 1), number(cpu and cpu / base, 2),
        *latencies(figures),
        number(figures.get("redis_us") or None, 2),
        number(figures["memory_kib"] / 1024, 1) if "memory_kib" in figures else "–",
    ]  # fmt: skip


def main_table(main):
    head = ["", "requests/s", "CPU µs/request", "÷ bare", "p50 µs", "p99 µs", "p99.9 µs", "Redis CPU µs/op", "MiB"]
    base = main["bare reply"]["cpu_us"]
    return table(head, [figures_row(name, figures, base) for name, figures in main.items()])


def goal_lines(results):
    main, shards, connections, handshakes = (results[name] for name in ("main", "shards", "connections", "handshakes"))

    def cpu(name, other):
        return main[name]["cpu_us"] / main[other]["cpu_us"]

    def new_connections(kind):
        return handshakes["READ from the near cache", kind]["per_sec"] / handshakes["bare reply", kind]["per_sec"]

    near, one, webdis = "READ from the near cache", "READ, one key", "Webdis GET, plain HTTP, no token"
    return [
        ("READ from the near cache ÷ bare reply, CPU", cpu(near, "bare reply"), "≤", 0.85),
        ("READ, one key ÷ bare reply, CPU", cpu(one, "bare reply"), "≤", 1.15),
        ("READ, one key ÷ Webdis plain GET, CPU", cpu(one, webdis), "≤", 0.65),
        ("READ from the near cache ÷ Webdis plain GET, CPU", cpu(near, webdis), "≤", 0.48),
        ("READ, one key ÷ nginx TLS + Lua, CPU", cpu(one, "nginx TLS + Lua GET, no token"), "≤", 0.45),
        ("WRITE ÷ bare reply, CPU", cpu("WRITE", "bare reply"), "≤", 1.25),
        ("keys/s in batches of 100 ÷ single READs", 100 * main["100 READs in a batch"]["per_sec"] / main["READ"]["per_sec"], "≥", 16),
        ("512 connections ÷ 64 connections, CPU", connections["512"]["cpu_us"] / connections["64"]["cpu_us"], "≤", 1.1),
        ("1,000 keys over 64 Redis ÷ 1, CPU", shards["64"]["cpu_us"] / shards["1"]["cpu_us"], "≤", 1.4),
        ("memory at rest, MiB", results["at_rest_kib"] / 1024, "≤", 14),
        ("memory of an idle TLS connection, KiB", results["idle"]["cachefront"], "≤", 16),
        ("new TLS connections/s, full ÷ bare reply", new_connections("full"), "≥", 0.95),
        ("new TLS connections/s, resumed ÷ bare reply", new_connections("resumed"), "≥", 0.95),
        ("Redis CPU per READ of one key ÷ direct GET", main[one]["redis_us"] / main["redis-benchmark GET"]["redis_us"], "≤", 0.45),
    ]  # fmt: skip


def short_table(first, figures):
    head = [first, "requests/s", "CPU µs/request", "p50 µs", "p99 µs", "p99.9 µs"]
    return table(head, [[name, number(f["per_sec"]), number(f["cpu_us"], 1), *latencies(f)] for name, f in figures.items()])


def rates_table(rates):
    head = ["", "requests/s", "CPUs busy", "p50 µs", "p99 µs", "p99.9 µs"]

    def row(key, figures):
        name, share = key
        return [f"{name}, {percent(share)}", number(figures["per_sec"]), percent(figures["busy"]), *latencies(figures)]

    return table(head, [row(*item) for item in rates["rows"].items()])


def rates_note(rates):
    note = f"Percentages of {rates['rate']:,.0f} requests/s"
    if rates["rate"] == rates["capacity"]:
        return f"{note}, the capacity of READ with this load generator."
    return (
        f"{note}: the capacity of READ with this load generator, {rates['capacity']:,.0f}/s, lowered to keep the CPUs at most {percent(BUSY_MAX)} busy at 50 %."
    )


def curves_table(curves):
    def cell(figures):
        return f"{' / '.join(latencies(figures))} ({percent(figures['busy'])})"

    rows = [[name, number(row["capacity"]), *map(cell, row["points"].values())] for name, row in curves.items()]
    return table(["", "capacity, requests/s", *(percent(share) for share in CURVE_SHARES)], rows)


def handshakes_table(found):
    rows = [[f"{name}, {kind}", number(f["per_sec"]), number(f["cpu_us"])] for (name, kind), f in found.items()]
    return table(["", "connections/s", "CPU µs/connection"], rows)


def memory_table(results):
    idle = results["idle"]
    rows = [
        ["cachefront at rest, MiB", number(results["at_rest_kib"] / 1024, 1)],
        [f"one of {results['idle_count']:,} idle TLS connections to cachefront, KiB", number(idle["cachefront"], 1)],
        ["the same to the bare server, KiB", number(idle["bare reply"], 1)],
    ]
    return table(["", "memory"], rows)


def text(results, run, secs, rounds):
    intro = f"Load, service and Redis share the CPUs, which were {percent(results['busy'])} busy before the load."
    section = Section(run, f"{intro} Medians of {rounds} interleaved rounds of {secs} s.\n")
    section.add("", main_table(results["main"]), f"![CPU time per request]({plot.COST})")
    section.add("Goals", goals(goal_lines(results)))
    section.add("Size of the value", short_table("bytes", results["sizes"]))
    section.add("Connections", short_table("connections", results["connections"]))
    section.add("Keys", short_table("keys of one master", results["keys"]))
    section.add("Shards", short_table("shards, without replicas", results["shards"]))
    section.add("Latency at a fixed rate", rates_table(results["rates"]), rates_note(results["rates"]))
    note = "Each row at parts of its own capacity, once: p50 / p99 / p99.9 in µs, and how busy the CPUs were."
    section.add("Latency against load", curves_table(results["curves"]), note, f"![p99 of the latency against the load]({plot.LATENCY})")
    section.add("Connections that are made for one request", handshakes_table(results["handshakes"]))
    section.add("Memory", memory_table(results))
    return section.text()
