"""Files of requests, and the values that they read."""

import json
import os

from services import redis_call

KEYS = 1000
SIZES = [16, 256, 1024, 16 * 1024, 256 * 1024]


def value(length):
    """Returns a text of `length` bytes that needs no escapes in JSON."""
    return ("0123456789abcdef" * (length // 16 + 1))[:length]


def fill(service):
    """Writes values through the service: plain ones of each size, and sealed ones of 1 KiB."""
    writes = [("WRITE", f"k{number}", 16, False) for number in range(KEYS)]
    writes += [("WRITE", f"v{length}:{number}", length, False) for length in SIZES for number in range(16)]
    writes += [("WRITE", f"sealed:{number}", 1024, True) for number in range(16)]
    for start in range(0, len(writes), 20):
        part = writes[start : start + 20]
        body = [{"command": c, "key": k, "value": value(length), "encrypt": seal} for c, k, length, seal in part]
        answers = service.post("/cache", body)
        if any(answer["status"] != "SUCCESS" for answer in answers):
            raise SystemExit(f"bench: writing the values failed: {answers[:3]}")


def fill_directly(port):
    """Writes the keys k0… into a Redis of their own."""
    redis_call(port, "MSET", *(word for number in range(KEYS) for word in (f"k{number}", value(16))))


MANY_KEYS, MANY_ASKED = 1_000_000, 50_000


def fill_many(port):
    """Writes the keys m0… into a Redis of their own."""
    for start in range(0, MANY_KEYS, 10_000):
        redis_call(port, "MSET", *(word for number in range(start, start + 10_000) for word in (f"m{number}", value(16))))


def files(stage):
    """Writes the files of requests, and returns their paths by name."""

    def text(body):
        return f"POST /cache {json.dumps(body, separators=(',', ':'))}"

    def read(key):
        return {"command": "READ", "key": key}

    keys = [f"k{number}" for number in range(KEYS)]
    # Spread over all keys, so that neighbours in the file are far apart.
    many = [f"m{number * 7919 * 20 % MANY_KEYS + number % 20}" for number in range(MANY_ASKED)]
    few = [f"m{number}" for number in range(KEYS)]
    kinds = {
        "many": [text(read(key)) for key in many],
        "few": [text(read(key)) for key in few],
        "read": [text(read(key)) for key in keys],
        "one": [text(read("k1"))],
        "write": [text({"command": "WRITE", "key": key, "value": value(16)}) for key in keys],
        "batch": [text([read(key) for key in keys[start : start + 100]]) for start in range(0, KEYS, 100)],
        "sealed": [text(read(f"sealed:{number}")) for number in range(16)],
        "webdis": [f"GET /GET/{key} " for key in keys],
        "upstash": [f'POST / ["GET","{key}"]' for key in keys],
        **{f"v{length}": [text(read(f"v{length}:{number}")) for number in range(16)] for length in SIZES},
    }
    return {name: stage.write(f"{name}.requests", "\n".join(lines) + "\n") for name, lines in kinds.items()}


def wire(stage, service, path):
    """Writes a file of requests as the service gets them, for examples/drive.rs, and returns the path."""
    with open(path) as file:
        text = "\0".join(request(service.token, *line.rstrip("\n").split(" ", 2)) for line in file)
    return stage.write(f"{service.process.name}-{os.path.basename(path)}.wire", text)


def request(token, method, path, body):
    """Returns the text of an HTTP/1.1 request."""
    head = [f"{method} {path} HTTP/1.1", "host: localhost", "content-type: application/json", f"content-length: {len(body)}"]
    head += [f"authorization: Bearer {token}"] if token else []
    return "\r\n".join([*head, "", body])
