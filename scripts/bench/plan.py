"""The plan of measurements: the services, the rows and their rounds."""

import statistics
import sys

import load
import requests
import services
from load import Row


def say(text):
    print(f"[bench] {text}", file=sys.stderr, flush=True)


class Plan:
    """All measurements, with one Redis master and three replicas unless stated otherwise."""

    def __init__(self, stage, secs, rounds):
        self.stage, self.secs, self.rounds = stage, secs, rounds
        self.files = services.certificate(stage)
        self.redis, self.ports = services.start_redis(stage, replicas=3)
        self.kinds = requests.files(stage)
        self.bare = services.start_bare(stage, self.files)
        self.ours = services.start_cachefront(stage, "cachefront", [self.ports], self.files)
        self.at_rest_kib = self.ours.process.memory_kib()
        self.near = services.start_cachefront(stage, "cachefront-near", [self.ports], self.files, near=True)
        requests.fill(self.ours)

    def measured(self, rows, secs=None, rounds=None):
        """Runs each row once in every round. Returns the medians by name of the row."""
        runs = {row.name: [] for row in rows}
        for number in range(rounds or self.rounds):
            say(f"round {number + 1} of {rounds or self.rounds}: {', '.join(runs)}")
            for row in rows:
                runs[row.name].append(row.run(secs or self.secs))
        return {name: medians(figures) for name, figures in runs.items()}

    def row(self, name, kind="read", **more):
        return Row(name, self.ours, self.kinds[kind], self.redis, **more)

    def bare_row(self, **more):
        return Row("bare reply", self.bare, self.kinds["read"], **more)

    def main(self):
        """Measures Cachefront and the other services, all with the same Redis."""
        peers = [
            Row("Webdis GET, plain HTTP, no token", services.start_webdis(self.stage, self.ports[0]), self.kinds["webdis"], self.redis),
            Row("nginx TLS + Lua GET, no token", services.start_nginx(self.stage, self.ports[0], self.files), self.kinds["read"], self.redis),
            Row("Flask + gunicorn READ", services.start_flask(self.stage, self.ports[0], self.files), self.kinds["read"], self.redis),
        ]  # fmt: skip
        ours = [
            Row("READ from the near cache", self.near, self.kinds["read"], self.redis),
            self.row("READ"),
            self.row("READ, one key", "one"),
            self.row("WRITE", "write"),
            self.row("100 READs in a batch", "batch", operations=100),
            self.row("READ of 1 KiB", "v1024"),
            self.row("READ of 1 KiB, sealed", "sealed"),
        ]
        figures = self.measured([self.bare_row(), *ours, *peers])
        for peer in peers:
            peer.service.process.stop()
        runs = [load.redis_benchmark(self.ports[0], self.redis[0], 100_000) for _ in range(self.rounds)]
        return {**figures, "redis-benchmark GET": medians(runs)}

    def sizes(self):
        rows = [self.row(f"{length:,} B", f"v{length}") for length in requests.SIZES]
        return self.measured(rows, rounds=min(self.rounds, 3))

    def connections(self):
        rows = [self.row(f"{count}", connections=count) for count in (1, 64, 512)]
        rows += [self.bare_row(connections=count) for count in (1, 64, 512)]
        for row in rows[3:]:
            row.name = f"bare {row.connections}"
        return self.measured(rows, rounds=min(self.rounds, 3))

    def shards(self):
        """Measures Cachefront with 1, 16 and 64 shards of one master each."""
        rows = []
        for count in (1, 16, 64):
            started = [services.start_redis(self.stage) for _ in range(count)]
            ports = [ports for _, ports in started]
            service = services.start_cachefront(self.stage, f"cachefront-{count}", ports, self.files)
            requests.fill(service)
            processes = [process for processes, _ in started for process in processes]
            rows.append(Row(f"{count}", service, self.kinds["read"], processes))
            rows.append(Row(f"{count}, one key", service, self.kinds["one"], processes))
        figures = self.measured(rows, rounds=min(self.rounds, 3))
        for row in rows[::2]:
            for process in [row.service.process, *row.redis]:
                process.stop()
        return figures

    def keys(self):
        """Measures few keys, many keys, and many keys with a near cache that misses nearly always."""
        redis, ports = services.start_redis(self.stage)
        requests.fill_many(ports[0])
        plain = services.start_cachefront(self.stage, "cachefront-keys", [ports], self.files)
        near = services.start_cachefront(self.stage, "cachefront-keys-near", [ports], self.files, near=True)
        rows = [
            Row("1,000", plain, self.kinds["few"], redis),
            Row("1,000,000", plain, self.kinds["many"], redis),
            Row("1,000,000, near cache on", near, self.kinds["many"], redis),
        ]
        figures = self.measured(rows, rounds=min(self.rounds, 3))
        for process in (plain.process, near.process, *redis):
            process.stop()
        return figures

    def open_loop(self, capacities):
        """Measures latencies at half and at four fifths of each service's capacity, and the bare reply at half of READ's."""
        rows, found = {"READ": self.row("READ"), "bare reply": self.bare_row()}, {}
        plan = [(name, share, capacities[name] * share) for share in (0.5, 0.8) for name in rows]
        plan.append(("bare reply", "same", capacities["READ"] * 0.5))
        for _ in range(min(self.rounds, 3)):
            for name, share, rate in plan:
                row = rows[name]
                wire = requests.wire(self.stage, row.service)
                say(f"{name} at {rate:.0f}/s")
                figures = load.open_loop(row, self.files, wire, rate, self.secs)
                found.setdefault((name, share), []).append({**figures, "rate": rate})
        return {key: medians(runs) for key, runs in found.items()}

    def capacities(self):
        """Returns the requests/s of each service when the driver sends more than it can answer."""
        found = {}
        for row in (self.row("READ"), self.bare_row()):
            wire = requests.wire(self.stage, row.service)
            figures = load.open_loop(row, self.files, wire, 1_000_000, self.secs)
            found[row.name] = figures["requests"] / figures["took_secs"]
        return found

    def handshakes(self):
        found = {}
        for row in (self.row("cachefront"), self.bare_row()):
            wire = requests.wire(self.stage, row.service)
            for kind in ("full", "resumed"):
                say(f"handshakes with {row.name}, {kind}")
                runs = [load.handshakes(row, self.files, wire, kind, self.secs) for _ in range(min(self.rounds, 3))]
                found[row.name, kind] = medians(runs)
        return found

    def idle(self, count):
        """Measures the memory of idle connections, with services that have served no other requests."""
        fresh = {
            "cachefront": services.start_cachefront(self.stage, "cachefront-idle", [self.ports], self.files),
            "bare reply": services.start_bare(self.stage, self.files),
        }
        found = {}
        for name, service in fresh.items():
            say(f"{count} idle connections to {name}")
            found[name] = load.idle_kib(service, self.files, requests.wire(self.stage, service), count)
            service.process.stop()
        return found


def medians(runs):
    return {name: statistics.median(run[name] for run in runs) for name in runs[0]}
