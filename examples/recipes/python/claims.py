"""A claim that one worker gets: python3 claims.py

The claim ends by itself, so that a worker that died does not keep its job. It is no fencing: a worker that was stopped for
longer than CLAIM_SECS does not notice that another one has the job.
"""

import secrets
import time

from cachefront import Cache

CLAIM_SECS = 60
PREFIX = f"recipe-{secrets.token_hex(8)}:claim:"


def claim(cache, job, worker):
    """Returns the time until which the worker has the job, or None if another one has it."""
    start = time.monotonic()
    command = {"command": "WRITE", "key": PREFIX + job, "value": worker, "if_absent": True, "expire": CLAIM_SECS}
    reply = cache.run(command, "CONFLICT")
    return start + CLAIM_SECS if reply["status"] == "SUCCESS" else None


def give_back(cache, job, until):
    """Ends a claim early. In its last half it is left to expire, because the DELETE could meet the claim of another worker."""
    if time.monotonic() < until - CLAIM_SECS / 2:
        cache.run({"command": "DELETE", "key": PREFIX + job}, "NOT_FOUND")


def main():
    cache = Cache()
    until = claim(cache, "report", "worker 1")
    assert until is not None
    print("worker 1 has the job")

    assert claim(cache, "report", "worker 2") is None
    print("worker 2 does not get it")

    give_back(cache, "report", until)
    assert claim(cache, "report", "worker 2") is not None
    print("worker 1 gave it back, and worker 2 has it")


if __name__ == "__main__":
    main()
