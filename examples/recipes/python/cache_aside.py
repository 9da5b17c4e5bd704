"""Values of a database, kept for a while: python3 cache_aside.py

All keys are read in one request, and what is missing is loaded and written in another one. Lifetimes differ by a tenth, so
that values that were written together do not expire together.
"""

import random
import secrets

from cachefront import Cache

LIFETIME_SECS = 300
PREFIX = f"recipe-{secrets.token_hex(8)}:product:"

# Stands for a database.
DATABASE = {1: {"name": "pen", "price": 2}, 2: {"name": "ink", "price": 5}, 3: {"name": "nib", "price": 1}}


def products(cache, ids):
    """Returns the products with these ids, and the ids of those that had to be loaded."""
    replies = cache.run([{"command": "READ", "key": f"{PREFIX}{number}"} for number in ids], "NOT_FOUND")
    found = {number: reply["value"] for number, reply in zip(ids, replies, strict=True) if reply["status"] == "SUCCESS"}
    loaded = {number: DATABASE[number] for number in ids if number not in found}
    if loaded:
        cache.run([write(number, product) for number, product in loaded.items()])
    return found | loaded, sorted(loaded)


def write(number, product):
    jittered = round(LIFETIME_SECS * random.uniform(0.9, 1.1))
    return {"command": "WRITE", "key": f"{PREFIX}{number}", "value": product, "expire": jittered}


def change_price(cache, number, price):
    """Changes the database first, and then deletes the old value from the cache."""
    DATABASE[number] = {**DATABASE[number], "price": price}
    cache.run({"command": "DELETE", "key": f"{PREFIX}{number}"}, "NOT_FOUND")


def main():
    cache = Cache()
    _, loaded = products(cache, [1, 2, 3])
    print(f"first request: {len(loaded)} of 3 products loaded")
    _, loaded = products(cache, [1, 2, 3])
    print(f"second request: {len(loaded)} of 3 products loaded")

    change_price(cache, 2, 6)
    found, loaded = products(cache, [1, 2, 3])
    assert (found, loaded) == (DATABASE, [2]), (found, loaded)
    print("after a change: product 2 loaded, with its new price")


if __name__ == "__main__":
    main()
