"""Sends requests to a service and measures their cost. One round gives one set of figures."""

import json
import os
import resource
import subprocess
import time

import programs
from requests import wire
from system import BusyCpus

HERE = os.path.dirname(os.path.abspath(__file__))


class Row:
    """One row of a table: a service and a kind of request. `requests` is the path of a file of requests; `operations` is the
    number of commands in a request; `threads` is the number of threads that send requests."""

    def __init__(self, name, service, requests, redis=(), connections=64, operations=1, threads=1):
        self.name, self.service, self.requests, self.redis = name, service, requests, redis
        self.connections, self.operations, self.threads = connections, operations, threads

    def run(self, secs):
        """Sends as many requests as possible for `secs` over keep-alive connections, and returns the figures."""
        before = self.cpu()
        command = [programs.path("wrk"), f"-t{self.threads}", f"-c{self.connections}", f"-d{secs}s", "--timeout", "10s", "--latency"]
        command += ["-s", os.path.join(HERE, "requests.lua"), self.service.url()]
        environment = {**os.environ, "BENCH_REQUESTS": self.requests, "BENCH_TOKEN": self.service.token or ""}
        output = subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout
        return self.figures(last_json(output), before)

    def cpu(self):
        """Returns the CPU seconds so far of the service, of Redis, and of all load."""
        load = resource.getrusage(resource.RUSAGE_CHILDREN)
        return self.service.process.cpu_secs(), sum(process.cpu_secs() for process in self.redis), load.ru_utime + load.ru_stime

    def figures(self, counted, before):
        service, redis, load = (after - then for after, then in zip(self.cpu(), before, strict=True))
        requests = counted["requests"]
        if counted.get("failed") or not requests:
            raise SystemExit(f"bench: requests of {self.name} failed: {counted}")
        counted["cpu_us"] = service * 1e6 / requests
        counted["redis_us"] = redis * 1e6 / requests / self.operations
        counted["per_sec"] = requests / counted["secs"]
        counted["cpus"], counted["load_cpus"] = service / counted["secs"], load / counted["secs"]
        counted["memory_kib"] = self.service.process.memory_kib()
        return counted


def last_json(output):
    lines = [line for line in output.splitlines() if line.startswith("{")]
    if not lines:
        raise SystemExit(f"bench: there are no figures in this output: {output}")
    return json.loads(lines[-1])


class Driver:
    """Runs examples/drive.rs against services that have this certificate."""

    def __init__(self, stage, certificate):
        self.stage, self.certificate = stage, certificate

    def command(self, mode, row, *rest):
        certificate = self.certificate if row.service.tls else "-"
        requests = wire(self.stage, row.service, row.requests)
        return [programs.path("drive"), mode, str(row.service.port), certificate, requests, *map(str, rest)]

    def figures(self, *arguments):
        return last_json(subprocess.run(self.command(*arguments), check=True, stdout=subprocess.PIPE, text=True).stdout)

    def open_loop(self, row, rate, secs, *skew):
        """Sends requests at a fixed rate. Returns the latencies, and how busy the CPUs of this process were."""
        busy = BusyCpus()
        found = self.figures("skewed" if skew else "open", row, row.connections, secs, rate, *skew)
        return {**found, "rate": rate, "busy": busy.share(), "per_sec": found["requests"] / found["took_secs"]}

    def capacity(self, row, secs):
        """Returns the requests/s that the service answers when more are sent."""
        return self.open_loop(row, 1_000_000, secs)["per_sec"]

    def handshakes(self, row, kind, secs):
        """Opens a connection for each request, and returns the figures."""
        before, start = row.cpu(), time.monotonic()
        counted = self.figures("handshakes", row, 2, secs, kind)
        return row.figures({**counted, "secs": time.monotonic() - start}, before)

    def idle_kib(self, row, count):
        """Returns the memory of the service for each idle connection, in KiB."""
        process = row.service.process
        before = process.memory_kib()
        with subprocess.Popen(self.command("idle", row, count), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
            try:
                held = last_json(holder.stdout.readline())["open"]
                return (process.memory_kib() - before) / held
            finally:
                holder.stdin.close()


def redis_benchmark(port, process, requests):
    """Measures Redis without any service: one GET at a time over each of 64 connections."""
    before = process.cpu_secs()
    command = [programs.path("redis-benchmark"), "-p", str(port), "-c", "64", "-n", str(requests), "-t", "get", "-d", "16", "--csv"]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    fields = dict(zip(*(line.replace('"', "").split(",") for line in output.splitlines()[:2]), strict=True))
    return {
        "requests": requests,
        "per_sec": float(fields["rps"]),
        "p50_us": float(fields["p50_latency_ms"]) * 1000,
        "p99_us": float(fields["p99_latency_ms"]) * 1000,
        "redis_us": (process.cpu_secs() - before) * 1e6 / requests,
    }
