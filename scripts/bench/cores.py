"""Measurements with CPUs of their own for the service, for Redis and for the load: `make bench CORES=N`."""

import os
import sys

import load
import programs
import requests
import services
from load import Row
from rounds import in_rounds, say

SHARES = (0.25, 0.5, 0.8)
SKEW_SHARES = (0.25, 0.5)
CONNECTIONS, CONNECTIONS_MAX = 64, 256
# Hot connections, and their part of the load, which examples/drive.rs has too.
HOT, HOT_SHARE = 8, 0.8
BARE, NEAR, READ = "bare reply", "READ from the near cache", "READ"


class Split:
    """The CPUs of each part."""

    def __init__(self, workers):
        cpus = sorted(os.sched_getaffinity(0))
        spare = len(cpus) - workers
        if spare < 2:
            sys.exit(f"bench: {workers} workers need {workers + 2} CPUs, with those for Redis and the load; this process may use {len(cpus)}")
        self.service = cpus[:workers]
        self.redis = cpus[workers : workers + spare // 2]
        self.load = cpus[workers + spare // 2 :]

    def __str__(self):
        return f"service on {span(self.service)}, Redis on {span(self.redis)}, load on {span(self.load)}"


def span(cpus):
    return f"CPU {cpus[0]}" if len(cpus) == 1 else f"CPUs {cpus[0]} to {cpus[-1]}"


def worker_counts(most):
    """Returns 1, 2, 4, … and the most."""
    return [2**power for power in range(most.bit_length()) if 2**power < most] + [most]


class Cores:
    """The measurements with 1, 2, 4, … workers. The load is sent from the CPUs of this process, which are set here."""

    def __init__(self, stage, most, secs, rounds):
        self.split, self.secs, self.rounds = Split(most), secs, rounds
        self.stage, self.counts = stage, worker_counts(most)
        # The number of workers for the measurements at a fixed rate.
        self.half = max(count for count in self.counts if count <= max(most // 2, 1))
        os.sched_setaffinity(0, self.split.load)
        self.files = services.certificate(stage)
        self.driver = load.Driver(stage, self.files[0])
        self.redis, self.ports = services.start_redis(stage, replicas=3, cpus=self.split.redis)
        self.kinds = requests.files(stage)

    def run(self):
        results = {"split": str(self.split), "half": self.half, "counts": {}}
        for count in self.counts:
            say(f"{count} of {self.counts[-1]} workers")
            rows = self.rows(count)
            results["counts"][count] = in_rounds(self.rounds, {row.name: lambda row=row: row.run(self.secs) for row in rows})
            if count == self.half:
                capacity = results["counts"][count][READ]["per_sec"]
                results["capacity"], results["rates"] = capacity, self.rates(rows, capacity)
                results["skew"] = self.skew(rows[2], capacity) if count > 1 else {}
            for process in {row.service.process for row in rows}:
                process.stop()
        return results

    def rows(self, count):
        """Starts the services with this many workers, and returns their rows."""
        cpus = self.split.service[:count]
        near, ours = (
            services.start_cachefront(self.stage, f"cachefront-{count}-{near}", [self.ports], self.files, near=near, cpus=cpus)
            for near in (True, False)
        )  # fmt: skip
        requests.fill(ours)
        bare = services.start_bare(self.stage, self.files, ours.token, cpus)
        more = {"connections": min(CONNECTIONS * count, CONNECTIONS_MAX), "threads": len(self.split.load)}
        rows = [
            Row(BARE, bare, self.kinds["read"], **more),
            Row(NEAR, near, self.kinds["read"], self.redis, **more),
            Row(READ, ours, self.kinds["read"], self.redis, **more),
            Row("WRITE", ours, self.kinds["write"], self.redis, **more),
            Row("100 READs in a batch", ours, self.kinds["batch"], self.redis, operations=100, **more),
        ]
        return rows + (self.peers(count, cpus, more) if count == self.half else [])

    def peers(self, count, cpus, more):
        """Starts the other products that are installed, and returns their rows."""
        rows = []
        if programs.find("webdis"):
            webdis = services.start_webdis(self.stage, self.ports[0], count, cpus)
            rows.append(Row("Webdis GET, plain HTTP, no token", webdis, self.kinds["webdis"], self.redis, **more))
        if services.has_nginx():
            nginx = services.start_nginx(self.stage, self.ports[0], self.files, count, cpus)
            rows.append(Row("nginx TLS + Lua GET, no token", nginx, self.kinds["read"], self.redis, **more))
        return rows

    def rates(self, rows, capacity):
        """Measures latencies at parts of the capacity of READ."""
        same = [Row(row.name, row.service, row.requests, connections=CONNECTIONS) for row in rows[:3]]
        steps = {
            (row.name, share): lambda row=row, share=share: self.driver.open_loop(row, capacity * share, self.secs)
            for share in SHARES
            for row in same
        }  # fmt: skip
        return in_rounds(self.rounds, steps)

    def skew(self, row, capacity):
        """Measures latencies while HOT of the connections carry most of the load: all of them on one worker, and spread."""
        row = Row(row.name, row.service, row.requests, connections=max(CONNECTIONS, HOT * self.half))
        steps = {
            (share, kind): lambda share=share, kind=kind: self.driver.open_loop(row, capacity * share, self.secs, HOT, row.service.admin, kind)
            for share in SKEW_SHARES
            for kind in ("apart", "together")
        }  # fmt: skip
        return in_rounds(self.rounds, steps)
