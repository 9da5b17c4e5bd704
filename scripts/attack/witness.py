"""A well-behaved client beside the attack, in a process of its own, so that the attacker's work does not slow it."""

import http.client
import json
import multiprocessing
import ssl
import time

from attacked import WITNESS

ADDRESS = "127.0.0.3"
PAUSE_SECS = 0.01
# A new connection with a login of its own after so many requests.
REQUESTS = 20


class Witness:
    """Reads and writes small values, and logs in again and again. Counts failures and keeps latencies."""

    def __init__(self, port):
        context = multiprocessing.get_context("fork")
        self.here, there = context.Pipe()
        self.process = context.Process(target=observe, args=(port, there), daemon=True)
        self.process.start()
        there.close()

    def result(self):
        """Ends the observation. Returns the number of requests, the failures, and the latency in ms that 99 % did not reach."""
        self.here.send("end")
        answered, failures = self.here.recv()
        self.process.join()
        return len(answered), failures, percentile(answered, 99)


def percentile(values, share):
    return sorted(values)[min(len(values) - 1, len(values) * share // 100)] * 1000 if values else float("nan")


def observe(port, pipe):
    latencies, failures = [], []
    number = 0
    while not pipe.poll():
        try:
            number = visit(port, pipe, number, latencies)
        except (OSError, http.client.HTTPException, ValueError) as failure:
            failures.append(f"{type(failure).__name__}: {failure}")
            time.sleep(PAUSE_SECS)
    pipe.send((latencies, failures))


def visit(port, pipe, number, latencies):
    """Logs in, and sends requests over the same connection."""
    context = ssl._create_unverified_context()
    connection = http.client.HTTPSConnection("127.0.0.1", port, context=context, timeout=5, source_address=(ADDRESS, 0))
    try:
        token = send(connection, "/login", {"api_key": WITNESS}, None, latencies)["access_token"]
        for _ in range(REQUESTS):
            if pipe.poll():
                break
            number += 1
            value = f"value {number}"
            send(connection, "/cache", {"command": "WRITE", "key": f"witness{number % 50}", "value": value}, token, latencies)
            read = send(connection, "/cache", {"command": "READ", "key": f"witness{number % 50}"}, token, latencies)
            if read.get("value") != value:
                raise ValueError(f"a value is not the one that was written: {read}")
            time.sleep(PAUSE_SECS)
    finally:
        connection.close()
    return number


def send(connection, path, body, token, latencies):
    headers = {"content-type": "application/json"}
    if token:
        headers["authorization"] = f"Bearer {token}"
    start = time.monotonic()
    connection.request("POST", path, json.dumps(body), headers)
    answer = connection.getresponse()
    reply = json.loads(answer.read())
    latencies.append(time.monotonic() - start)
    if answer.status != 200 or reply.get("status") == "ERROR":
        raise ValueError(f"{answer.status} {reply}")
    return reply
