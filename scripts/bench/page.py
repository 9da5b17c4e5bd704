"""Writes the measured part of docs/benchmarks.md from the figures."""

import os

PAGE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "docs", "benchmarks.md")


def table(head, rows):
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def number(figure, digits=0):
    return "–" if figure is None else f"{figure:,.{digits}f}"


def figures_row(name, figures, base):
    cpu = figures.get("cpu_us")
    return [
        name, number(figures["per_sec"]), number(cpu, 1), number(cpu and cpu / base, 2),
        *(number(figures.get(key)) for key in ("p50_us", "p99_us", "p999_us")),
        number(figures.get("redis_us") or None, 2),
        number(figures["memory_kib"] / 1024, 1) if "memory_kib" in figures else "–",
    ]  # fmt: skip


def main_table(main):
    head = ["", "requests/s", "CPU µs/request", "÷ bare", "p50 µs", "p99 µs", "p99.9 µs", "Redis CPU µs/op", "MiB"]
    base = main["bare reply"]["cpu_us"]
    return table(head, [figures_row(name, figures, base) for name, figures in main.items()])


def goals_table(main, shards, keys, idle, open_loop, at_rest_kib):
    """Returns a table of the goals and the measured figures."""

    def cpu(name):
        return main[name]["cpu_us"]

    rows = [
        ("READ from the near cache ÷ bare reply, CPU", cpu("READ from the near cache") / cpu("bare reply"), 1.15),
        ("READ, one key ÷ bare reply, CPU", cpu("READ, one key") / cpu("bare reply"), 1.40),
        ("READ, one key ÷ Webdis plain GET, CPU", cpu("READ, one key") / cpu("Webdis GET, plain HTTP, no token"), 0.70),
        ("READ from the near cache ÷ Webdis plain GET, CPU", cpu("READ from the near cache") / cpu("Webdis GET, plain HTTP, no token"), 0.55),
        ("READ, one key ÷ nginx TLS + Lua, CPU", cpu("READ, one key") / cpu("nginx TLS + Lua GET, no token"), 0.50),
        ("sealed READ of 1 KiB ÷ plain, CPU", cpu("READ of 1 KiB, sealed") / cpu("READ of 1 KiB"), 1.08),
        ("64 shards ÷ 1 shard, one key, CPU", shards["64, one key"]["cpu_us"] / shards["1, one key"]["cpu_us"], 1.05),
        ("64 shards ÷ 1 shard, 1,000 keys, CPU", shards["64"]["cpu_us"] / shards["1"]["cpu_us"], 1.05),
        ("1,000,000 keys ÷ 1,000 keys, CPU", keys["1,000,000"]["cpu_us"] / keys["1,000"]["cpu_us"], 1.05),
        ("Redis CPU per READ of one key ÷ direct GET",
         main["READ, one key"]["redis_us"] / main["redis-benchmark GET"]["redis_us"], 0.5),
        ("memory at rest, MiB", at_rest_kib / 1024, 15),
        ("memory of an idle TLS connection, KiB", idle["cachefront"], 24),
        ("p99 at half the capacity ÷ bare reply at the same rate",
         open_loop["READ", 0.5]["p99_us"] / open_loop["bare reply", "same"]["p99_us"], 1.5),
    ]  # fmt: skip
    batch = 100 * main["100 READs in a batch"]["per_sec"] / main["READ"]["per_sec"]
    lines = [[what, number(figure, 2), f"≤ {goal}", "yes" if figure <= goal else "no"] for what, figure, goal in rows]
    lines.append(["keys/s in batches of 100 ÷ single READs", number(batch, 1), "≥ 12", "yes" if batch >= 12 else "no"])
    return table(["", "measured", "goal", "met"], lines)


def short_table(first, figures):
    head = [first, "requests/s", "CPU µs/request", "p50 µs", "p99 µs", "p99.9 µs"]

    def row(name, f):
        return [name, number(f["per_sec"]), number(f["cpu_us"], 1)] + [number(f[key]) for key in ("p50_us", "p99_us", "p999_us")]

    return table(head, [row(name, f) for name, f in figures.items()])


def open_loop_table(found):
    head = ["", "requests/s", "p50 µs", "p99 µs", "p99.9 µs"]

    def share(share):
        return "half of READ's capacity" if share == "same" else f"{share:.0%} of its capacity"

    def row(key, f):
        return [f"{key[0]}, {share(key[1])}"] + [number(f[k]) for k in ("rate", "p50_us", "p99_us", "p999_us")]

    return table(head, [row(key, figures) for key, figures in found.items()])


def handshakes_table(found):
    def row(key, f):
        return [f"{key[0]}, {key[1]}", number(f["per_sec"]), number(f["cpu_us"])]

    return table(["", "connections/s", "CPU µs/connection"], [row(key, figures) for key, figures in found.items()])


def text(results, machine, date, secs, rounds):
    head = f"{date}, {machine}; load and Redis on the same machine; medians of {rounds} interleaved rounds of {secs} s."
    idle = results["idle"]
    goals = goals_table(results["main"], results["shards"], results["keys"], idle, results["open_loop"], results["at_rest_kib"])
    return "\n".join(
        [
            head + "\n",
            main_table(results["main"]),
            "### Goals\n",
            goals,
            "### Size of the value\n",
            short_table("bytes", results["sizes"]),
            "### Connections\n",
            short_table("connections", results["connections"]),
            "### Keys\n",
            short_table("keys of one master", results["keys"]),
            "### Shards\n",
            short_table("shards, without replicas", results["shards"]),
            "### Latency at a fixed rate\n",
            open_loop_table(results["open_loop"]),
            "### Connections that are made for one request\n",
            handshakes_table(results["handshakes"]),
            "### Memory\n",
            f"At rest {results['at_rest_kib'] / 1024:.1f} MiB. Each of {results['idle_count']:,} idle TLS connections takes "
            f"{idle['cachefront']:.1f} KiB (bare server: {idle['bare reply']:.1f} KiB).\n",
        ]
    )
