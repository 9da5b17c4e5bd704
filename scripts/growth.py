"""Measures what callers notice while a shard is added: python3 scripts/growth.py [--program FILE] [--keys N] [--rate N]

Three shards hold all keys, and a fourth is added in three ways: on the ring in one step, on the ring with its weight raised
in steps, and in a Redis Cluster by `redis-cli --cluster rebalance`. Callers read all keys at a fixed rate meanwhile, and
write again what they miss. The tables of docs/topologies.md are this script's output.

Everything runs on the loopback address, on free ports and in a temporary folder, and is stopped at the end.
"""

import argparse
import http.client
import json
import os
import random
import signal
import ssl
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "bench"))

from services import SECRET, TARGET, Service, certificate, is_ready, redis_call
from system import Stage, free_port, wait_for

STEPS = ["0.1", "0.25", "0.5", "0.75", "1"]
NAMES = ["a", "b", "c", "d"]
# READs in one batch.
BATCH = 50
CALLERS = 4
VALUE = "v" * 100


def arguments():
    parser = argparse.ArgumentParser(prog="scripts/growth.py", description="Measures what callers notice while a shard is added.")
    parser.add_argument("--program", default=os.path.join(TARGET, "cachefront"))
    parser.add_argument("--keys", type=int, default=20_000)
    parser.add_argument("--rate", type=int, default=2_000, help="READs per second of all callers together")
    return parser.parse_args()


class Instance(Service):
    """A running Cachefront whose settings can be changed."""

    def __init__(self, stage, name, program, files, redis):
        port, self.admin = free_port(), free_port()
        self.stage, self.name = stage, name
        self.head = (
            f"[service]\nHOST=127.0.0.1\nPORT={port}\nADMIN_PORT={self.admin}\nTLS_CERT={files[0]}\nTLS_KEY={files[1]}\n"
            f"JWT_SECRET_KEY={SECRET}\nSRVC_SHARED_SECRET={SECRET}\nRELOAD_EVERY_SECS=0\n[near_cache]\nenabled=false\n"
        )
        self.config = stage.write(f"{name}.config", self.head + redis)
        super().__init__(stage.start(name, [program, "serve", "--config", self.config], port), port, True)
        wait_for(f"{name} to be ready", lambda: is_ready(self.admin), self.process)
        self.token = self.post("/login", {"api_key": SECRET})["access_token"]

    def reload(self, redis, weights):
        """Changes the settings of Redis, and waits until the shards have these weights and are connected."""
        self.stage.write(f"{self.name}.config", self.head + redis)
        self.process.child.send_signal(signal.SIGHUP)
        wait_for("the settings to be reloaded", lambda: self.weights() == weights)

    def weights(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.admin, timeout=5)
        connection.request("GET", "/console/facts")
        facts = json.loads(connection.getresponse().read())
        connection.close()
        return {shard["name"]: shard["weight"] for shard in facts["shards"] if shard["writable"]}


class Load:
    """Callers that read all keys again and again at a fixed rate, and write again what they miss."""

    def __init__(self, instance, keys, rate):
        self.instance, self.keys, self.pause = instance, keys, BATCH * CALLERS / rate
        self.reads = self.misses = self.failures = 0
        self.lock = threading.Lock()

    def run(self, passes=1, until=None):
        """Reads every key this many times, or until an event is set. Returns the seconds that it took."""
        start = time.monotonic()
        callers = [threading.Thread(target=self.call, args=(number, passes, until)) for number in range(CALLERS)]
        for caller in callers:
            caller.start()
        for caller in callers:
            caller.join()
        return time.monotonic() - start

    def call(self, number, passes, until):
        connection = http.client.HTTPSConnection("127.0.0.1", self.instance.port, context=ssl._create_unverified_context(), timeout=30)
        due, done = time.monotonic(), 0
        while done < passes or (until and not until.is_set()):
            own = self.keys[number::CALLERS]
            random.Random(done).shuffle(own)
            for first in range(0, len(own), BATCH):
                if until and until.is_set():
                    break
                self.read(connection, own[first : first + BATCH])
                due += self.pause
                time.sleep(max(0, due - time.monotonic()))
            done += 1
        connection.close()

    def read(self, connection, keys):
        replies = self.send(connection, [{"command": "READ", "key": key} for key in keys])
        missed = [key for key, reply in zip(keys, replies, strict=True) if reply["status"] == "NOT_FOUND"]
        failed = sum(reply["status"] == "ERROR" or reply.get("value", VALUE) != VALUE for reply in replies)
        if missed:
            written = self.send(connection, [write(key) for key in missed])
            failed += sum(reply["status"] == "ERROR" for reply in written)
        with self.lock:
            self.reads += len(keys)
            self.misses += len(missed)
            self.failures += failed

    def send(self, connection, commands):
        headers = {"content-type": "application/json", "authorization": f"Bearer {self.instance.token}"}
        connection.request("POST", "/cache", json.dumps(commands), headers)
        return json.loads(connection.getresponse().read())


def write(key):
    return {"command": "WRITE", "key": key, "value": VALUE, "expire": 0}


def fill(instance, keys):
    for first in range(0, len(keys), 500):
        replies = instance.post("/cache", [write(key) for key in keys[first : first + 500]])
        failed = [reply for reply in replies if reply["status"] != "SUCCESS"]
        if failed:
            sys.exit(f"growth: a key was not written: {failed[0]}")


def start_redis(stage, *more):
    # A node of a cluster also listens 10,000 above, which must be below the ports of outgoing connections.
    bus = free_port()
    port = bus - 10_000
    options = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", stage.folder]
    stage.start(f"redis-{port}", ["redis-server", *options, *more, "--dbfilename", f"{port}.rdb"], port)
    return port


def commands(port):
    """Returns the number of commands of callers and of moves that a node has run."""
    total = 0
    for line in redis_call(port, "INFO", "commandstats").decode().splitlines():
        name, _, figures = line.partition(":")
        if name.removeprefix("cmdstat_").partition("|")[0] in {"get", "set", "migrate", "restore", "restore-asking", "asking"}:
            total += int(figures.partition("=")[2].partition(",")[0])
    return total


def per_sec(ports, before, secs):
    return [round((commands(port) - then) / secs) for port, then in zip(ports, before, strict=True)]


def section(name, port, weight):
    return f"[shard:{name}]\nmaster=127.0.0.1:{port}\nweight={weight}\n"


def ring(stage, program, files, keys, rate, steps):
    """Adds a shard to a ring. Returns a row for each step, and the result of a sweep afterwards."""
    ports = [start_redis(stage) for _ in NAMES]
    before = "".join(section(name, port, 1) for name, port in zip(NAMES[:3], ports[:3], strict=True))
    instance = Instance(stage, f"ring-{len(steps)}", program, files, before)
    fill(instance, keys)
    rows = []
    for weight in ["-", *steps]:
        if weight != "-":
            weights = {**dict.fromkeys(NAMES[:3], 1), "d": float(weight)}
            instance.reload(before + section("d", ports[3], weight), weights)
        load, counted = Load(instance, keys, rate), [commands(port) for port in ports]
        secs = load.run()
        rows.append((weight, load, per_sec(ports, counted, secs)))
    sweep = [program, "keys", "sweep", "--config", instance.config, "--delete", "--json", "--keys-per-second", "1000000"]
    swept = json.loads(subprocess.run(sweep, check=True, capture_output=True, text=True).stdout)
    check = Load(instance, keys, rate * 10)
    check.run()
    assert check.misses == check.failures == 0, "the sweep deleted a key that is in use"
    instance.process.stop()
    return rows, sum(shard["deleted"] for shard in swept["shards"])


def cluster(stage, program, files, keys, rate):
    """Adds a node to a Redis Cluster. Returns a row for the time before and one for the move of slots."""
    enabled = ["--cluster-enabled", "yes", "--cluster-node-timeout", "5000"]
    ports = [start_redis(stage, *enabled, "--cluster-config-file", f"nodes-{number}.conf") for number in range(4)]
    nodes = [f"127.0.0.1:{port}" for port in ports]
    cli("create", *nodes[:3], "--cluster-replicas", "0", "--cluster-yes")
    wait_until_whole(ports[:3])
    instance = Instance(stage, "cluster", program, files, f"[redis]\ncluster={', '.join(nodes[:3])}\n")
    fill(instance, keys)
    rows = []
    load, counted = Load(instance, keys, rate), [commands(port) for port in ports]
    secs = load.run()
    rows.append(("before", load, per_sec(ports, counted, secs)))
    cli("add-node", nodes[3], nodes[0])
    wait_until_whole(ports)
    done, load, counted = threading.Event(), Load(instance, keys, rate), [commands(port) for port in ports]
    mover = threading.Thread(target=rebalance, args=(nodes[0], done))
    mover.start()
    secs = load.run(passes=0, until=done)
    mover.join()
    if not commands(ports[3]):
        sys.exit("growth: no slot was moved, see above")
    rows.append((f"slots move, {secs:.0f} s", load, per_sec(ports, counted, secs)))
    load, counted = Load(instance, keys, rate), [commands(port) for port in ports]
    secs = load.run()
    rows.append(("after", load, per_sec(ports, counted, secs)))
    instance.process.stop()
    return rows


def wait_until_whole(ports):
    """Waits until every node knows all others and serves."""
    expected = [b"cluster_state:ok", b"cluster_known_nodes:%d" % len(ports)]
    for port in ports:
        wait_for("the cluster", lambda port=port: all(line in redis_call(port, "CLUSTER", "INFO") for line in expected))


def rebalance(node, done):
    try:
        cli("rebalance", node, "--cluster-use-empty-masters", "--cluster-yes", tries=1)
    finally:
        done.set()


def cli(*words, tries=30):
    """Runs `redis-cli --cluster`; a node that has not heard of another one yet makes it fail at first."""
    for _ in range(tries):
        result = subprocess.run(["redis-cli", "--cluster", *words], check=False, capture_output=True, text=True)
        if result.returncode == 0:
            return
        time.sleep(1)
    # Another thread would end without its message.
    print(f"growth: redis-cli --cluster {words[0]} failed: {result.stdout[-1000:]}{result.stderr[-500:]}", file=sys.stderr)
    sys.exit(1)


def table(title, first, rows):
    print(f"\n{title}\n\n| {first} | READs | misses | failed | commands/s on the old shards | on the new shard |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    for name, load, rates in rows:
        share = 100 * load.misses / load.reads
        old = " / ".join(map(str, rates[:3]))
        print(f"| {name} | {load.reads:,} | {load.misses:,} ({share:.1f} %) | {load.failures} | {old} | {rates[3]} |", flush=True)


def main():
    # An exception, so that the processes are stopped on SIGTERM too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("growth: stopped by SIGTERM"))
    given = arguments()
    keys = [f"user:{number}:profile" for number in range(given.keys)]
    with Stage() as stage:
        files = certificate(stage)
        for steps in (["1"], STEPS):
            rows, swept = ring(stage, given.program, files, keys, given.rate, steps)
            table(f"Ring, {len(steps)} step(s)", "weight of the new shard", rows)
            print(f"\nMisplaced keys that the sweep deleted: {swept:,}")
        table("Redis Cluster", "moment", cluster(stage, given.program, files, keys, given.rate))


if __name__ == "__main__":
    main()
