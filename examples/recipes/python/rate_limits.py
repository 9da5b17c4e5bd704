"""Rate limits, smooth (GCRA) and by fixed windows: python3 rate_limits.py [NAME]

All programs that use the same name share its limits. Without a name, a random one is made.
"""

import secrets
import sys
import time

from cachefront import Cache

LIMIT = 5
WINDOW_SECS = 3600
TRIES = 8


def take(cache, key, limit=LIMIT, per=WINDOW_SECS):
    """Takes one use. Returns 0 if it is allowed, or else the seconds to wait, as for `Retry-After`."""
    reply = cache.run({"command": "RATE_LIMIT", "key": key, "limit": limit, "per": per})
    return 0 if reply["allowed"] else reply["retry_after_ms"] / 1000


def take_in_window(cache, key):
    """Takes one use of a window that starts with its first use. Returns 0, or the seconds until the window ends."""
    reply = cache.run({"command": "INCREMENT", "key": key, "max": LIMIT, "expire": WINDOW_SECS}, "LIMITED")
    return 0 if reply["status"] == "SUCCESS" else reply["ttl"] or 1


def wait_for_turn(cache, key, limit, per):
    """Waits until a use is allowed, for programs that call others and should not be refused."""
    while wait := take(cache, key, limit, per):
        time.sleep(wait)


def main():
    cache = Cache()
    name = sys.argv[1] if len(sys.argv) > 1 else f"recipe-{secrets.token_hex(8)}"

    waits = [take(cache, f"{name}:gcra") for _ in range(TRIES)]
    assert all(wait <= WINDOW_SECS / LIMIT for wait in waits), waits
    print(f"GCRA: {waits.count(0)} of {TRIES} uses allowed")

    waits = [take_in_window(cache, f"{name}:window") for _ in range(TRIES)]
    assert all(wait <= WINDOW_SECS for wait in waits), waits
    print(f"fixed window: {waits.count(0)} of {TRIES} uses allowed")

    start = time.monotonic()
    for _ in range(3):
        wait_for_turn(cache, f"{name}:turns", limit=2, per=1)
    assert time.monotonic() - start >= 0.5
    print("GCRA: the third of two uses per second came half a second later")


if __name__ == "__main__":
    main()
