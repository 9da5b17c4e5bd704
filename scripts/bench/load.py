"""Sends requests to a service and measures their cost. One round gives one set of figures."""

import json
import os
import subprocess

from services import TARGET

HERE = os.path.dirname(os.path.abspath(__file__))
DRIVE = os.path.join(TARGET, "examples", "drive")


class Row:
    """One row of the table: a service and a kind of request. `operations` is the number of commands in a request."""

    def __init__(self, name, service, requests, redis=(), connections=64, operations=1):
        self.name, self.service, self.requests, self.redis = name, service, requests, redis
        self.connections, self.operations = connections, operations

    def run(self, secs):
        """Sends as many requests as possible for `secs` over keep-alive connections, and returns the figures."""
        before = self.cpu()
        command = ["wrk", "-t1", f"-c{self.connections}", f"-d{secs}s", "--timeout", "10s", "--latency"]
        command += ["-s", os.path.join(HERE, "requests.lua"), self.service.url()]
        environment = {**os.environ, "BENCH_REQUESTS": self.requests, "BENCH_TOKEN": self.service.token or ""}
        output = subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout
        return self.figures(last_json(output), before)

    def cpu(self):
        return self.service.process.cpu_secs(), sum(process.cpu_secs() for process in self.redis)

    def figures(self, counted, before):
        service, redis = (after - then for after, then in zip(self.cpu(), before, strict=True))
        requests = counted["requests"]
        if counted.get("failed") or not requests:
            raise SystemExit(f"bench: requests of {self.name} failed: {counted}")
        counted["cpu_us"] = service * 1e6 / requests
        counted["redis_us"] = redis * 1e6 / requests / self.operations
        if "secs" in counted:
            counted["per_sec"] = requests / counted["secs"]
        counted["memory_kib"] = self.service.process.memory_kib()
        return counted


def last_json(output):
    lines = [line for line in output.splitlines() if line.startswith("{")]
    if not lines:
        raise SystemExit(f"bench: there are no figures in this output: {output}")
    return json.loads(lines[-1])


def drive(mode, service, files, wire, *rest):
    arguments = [DRIVE, mode, str(service.port), files[0], wire, *map(str, rest)]
    return last_json(subprocess.run(arguments, check=True, stdout=subprocess.PIPE, text=True).stdout)


def open_loop(row, files, wire, rate, secs):
    """Sends requests at a fixed rate, and returns the latencies."""
    return drive("open", row.service, files, wire, row.connections, secs, rate)


def handshakes(row, files, wire, kind, secs):
    """Opens a connection for each request, and returns the figures."""
    before = row.cpu()
    counted = drive("handshakes", row.service, files, wire, 2, secs, kind)
    return row.figures({**counted, "secs": secs}, before)


def idle_kib(service, files, wire, count):
    """Returns the memory of the service for each idle connection, in KiB."""
    before = service.process.memory_kib()
    arguments = [DRIVE, "idle", str(service.port), files[0], wire, str(count)]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        try:
            held = last_json(holder.stdout.readline())["open"]
            return (service.process.memory_kib() - before) / held
        finally:
            holder.stdin.close()


def redis_benchmark(port, process, requests):
    """Measures Redis without any service: one GET at a time over each of 64 connections."""
    before = process.cpu_secs()
    command = ["redis-benchmark", "-p", str(port), "-c", "64", "-n", str(requests), "-t", "get", "-d", "16", "--csv"]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    fields = dict(zip(*(line.replace('"', "").split(",") for line in output.splitlines()[:2]), strict=True))
    return {
        "requests": requests,
        "per_sec": float(fields["rps"]),
        "p50_us": float(fields["p50_latency_ms"]) * 1000,
        "p99_us": float(fields["p99_latency_ms"]) * 1000,
        "redis_us": (process.cpu_secs() - before) * 1e6 / requests,
    }
