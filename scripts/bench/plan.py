"""The measurements on CPUs that service, Redis and load share: the services, the rows and their rounds."""

import time

import load
import requests
import services
from load import Row
from rounds import in_rounds, medians, say
from system import BusyCpus


class Plan:
    """The measurements on shared CPUs, with one Redis master and three replicas unless stated otherwise."""

    def __init__(self, stage, secs, rounds):
        self.stage, self.secs, self.rounds = stage, secs, rounds
        self.few_rounds = min(rounds, 3)
        self.files = services.certificate(stage)
        self.driver = load.Driver(stage, self.files[0])
        self.redis, self.ports = services.start_redis(stage, replicas=3)
        self.kinds = requests.files(stage)
        self.ours = services.start_cachefront(stage, "cachefront", [self.ports], self.files)
        self.at_rest_kib = self.ours.process.memory_kib()
        self.near = services.start_cachefront(stage, "cachefront-near", [self.ports], self.files, near=True)
        self.bare = services.start_bare(stage, self.files, self.ours.token)
        requests.fill(self.ours)
        self.peers = [
            Row("Webdis GET, plain HTTP, no token", services.start_webdis(stage, self.ports[0]), self.kinds["webdis"], self.redis),
            Row("nginx TLS + Lua GET, no token", services.start_nginx(stage, self.ports[0], self.files), self.kinds["read"], self.redis),
            Row("upstash-redis-server GET, plain HTTP", services.start_upstash(stage, self.ports[0]), self.kinds["upstash"], self.redis),
            Row("Flask + gunicorn READ", services.start_flask(stage, self.ports[0], self.files), self.kinds["read"], self.redis),
        ]  # fmt: skip

    def busy(self):
        """Returns how busy the CPUs are without load, which should be hardly at all."""
        busy = BusyCpus()
        time.sleep(self.secs)
        return busy.share()

    def measured(self, rows, rounds, secs=None):
        """Runs each row once in every round. Returns the medians by name of the row."""
        return in_rounds(rounds, {row.name: lambda row=row: row.run(secs or self.secs) for row in rows})

    def row(self, name, kind="read", **more):
        return Row(name, self.ours, self.kinds[kind], self.redis, **more)

    def bare_row(self, **more):
        return Row("bare reply", self.bare, self.kinds["read"], **more)

    def near_row(self):
        return Row("READ from the near cache", self.near, self.kinds["read"], self.redis)

    def batch_row(self):
        return self.row("100 READs in a batch", "batch", operations=100)

    def main(self):
        """Measures Cachefront and the other services, all with the same Redis."""
        ours = [
            self.near_row(),
            self.row("READ"),
            self.row("READ, one key", "one"),
            self.row("WRITE", "write"),
            self.batch_row(),
            self.row("READ of 1 KiB", "v1024"),
            self.row("READ of 1 KiB, sealed", "sealed"),
        ]
        figures = self.measured([self.bare_row(), *ours, *self.peers], self.rounds)
        runs = [load.redis_benchmark(self.ports[0], self.redis[0], 100_000) for _ in range(self.rounds)]
        return {**figures, "redis-benchmark GET": medians(runs)}

    def stop_peers(self):
        for peer in self.peers:
            peer.service.process.stop()

    def sizes(self):
        rows = [self.row(f"{length:,} B", f"v{length}") for length in requests.SIZES]
        return self.measured(rows, self.few_rounds)

    def connections(self):
        rows = [self.row(f"{count}", connections=count) for count in (1, 64, 512)]
        rows += [self.bare_row(connections=count) for count in (1, 64, 512)]
        for row in rows[3:]:
            row.name = f"bare {row.connections}"
        # The handshakes of 512 connections are part of the cost, so a longer run shows less of them.
        return self.measured(rows, self.few_rounds, self.secs * 2)

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
        figures = self.measured(rows, self.few_rounds)
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
        figures = self.measured(rows, self.few_rounds)
        for process in (plain.process, near.process, *redis):
            process.stop()
        return figures

    def handshakes(self):
        """Measures connections that are made for one request. The near cache answers as the bare server does, without Redis."""
        rows = [self.near_row(), self.row("READ"), self.bare_row()]
        steps = {
            (row.name, kind): lambda row=row, kind=kind: self.driver.handshakes(row, kind, self.secs)
            for kind in ("full", "resumed")
            for row in rows
        }  # fmt: skip
        return in_rounds(self.few_rounds, steps)

    def idle(self, count):
        """Measures the memory of idle connections, with services that have served no other requests."""
        fresh = {
            "cachefront": services.start_cachefront(self.stage, "cachefront-idle", [self.ports], self.files),
            "bare reply": services.start_bare(self.stage, self.files, None),
        }
        found = {}
        for name, service in fresh.items():
            say(f"{count} idle connections to {name}")
            found[name] = self.driver.idle_kib(Row(name, service, self.kinds["one"]), count)
            service.process.stop()
        return found
