"""Live counters: python3 counters.py

Views are added up here for a moment, and sent as one batch. No addition of another program is lost.
"""

import secrets
from collections import Counter

from cachefront import Cache

DAY_SECS = 86_400
PREFIX = f"recipe-{secrets.token_hex(8)}:views:"


def add(cache, views):
    """Adds views to the counters of their pages, and returns the new numbers. A new counter lives for a day."""
    batch = [{"command": "INCREMENT", "key": PREFIX + page, "by": count, "expire": DAY_SECS} for page, count in views.items()]
    return [reply["value"] for reply in cache.run(batch)]


def read(cache, pages):
    """Returns the number of each page; READ has it as a string."""
    replies = cache.run([{"command": "READ", "key": PREFIX + page} for page in pages], "NOT_FOUND")
    return [int(reply["value"]) if reply["status"] == "SUCCESS" else 0 for reply in replies]


def main():
    cache = Cache()
    views = Counter(["home", "prices", "home", "home", "prices"])
    assert add(cache, views) == [3, 2]
    print("counted: 5 views of 2 pages in one request")

    assert add(cache, {"home": 1}) == [4]
    home, prices, about = read(cache, ["home", "prices", "about"])
    print(f"read: home {home}, prices {prices}, about {about}")

    replies = cache.run([{"command": "TTL", "key": PREFIX + page} for page in views])
    assert all(0 < reply["ttl"] <= DAY_SECS for reply in replies), replies
    print("each counter ends within a day")


if __name__ == "__main__":
    main()
