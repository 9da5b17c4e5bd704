"""Load on a service, and what that costs: one round gives one set of figures."""

import json
import os
import subprocess

from services import TARGET

HERE = os.path.dirname(os.path.abspath(__file__))
DRIVE = os.path.join(TARGET, "examples", "drive")


class Row:
    """A service under one kind of request. `operations` is how many of them a request holds."""

    def __init__(self, name, service, requests, redis=(), connections=64, operations=1):
        self.name, self.service, self.requests, self.redis = name, service, requests, redis
        self.connections, self.operations = connections, operations

    def run(self, secs):
        """As many requests as there is time for, over keep-alive connections."""
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
            raise SystemExit(f"{self.name}: {counted}")
        counted["cpu_us"] = service * 1e6 / requests
        counted["redis_us"] = redis * 1e6 / requests / self.operations
        if "secs" in counted:
            counted["per_sec"] = requests / counted["secs"]
        counted["memory_kib"] = self.service.process.memory_kib()
        return counted


def last_json(output):
    lines = [line for line in output.splitlines() if line.startswith("{")]
    if not lines:
        raise SystemExit(f"no figures in: {output}")
    return json.loads(lines[-1])


def drive(mode, service, files, wire, *rest):
    arguments = [DRIVE, mode, str(service.port), files[0], wire, *map(str, rest)]
    return last_json(subprocess.run(arguments, check=True, stdout=subprocess.PIPE, text=True).stdout)


def open_loop(row, files, wire, rate, secs):
    """Requests at a fixed rate; how long the answers take."""
    return drive("open", row.service, files, wire, row.connections, secs, rate)


def handshakes(row, files, wire, kind, secs):
    """Connections that are made for one request each."""
    before = row.cpu()
    counted = drive("handshakes", row.service, files, wire, 2, secs, kind)
    return row.figures({**counted, "secs": secs}, before)


def idle_kib(service, files, wire, count):
    """Memory that each idle connection takes, in KiB."""
    before = service.process.memory_kib()
    arguments = [DRIVE, "idle", str(service.port), files[0], wire, str(count)]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        try:
            held = last_json(holder.stdout.readline())["open"]
            return (service.process.memory_kib() - before) / held
        finally:
            holder.stdin.close()


def redis_benchmark(port, process, requests):
    """What Redis costs clients that ask it directly, one GET at a time over 64 connections."""
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
