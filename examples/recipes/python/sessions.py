"""Sessions with sliding expiry: python3 sessions.py

A session is one key with a JSON object. Each request prolongs it. Without requests it expires.
"""

import secrets

from cachefront import Cache

SESSION_SECS = 1800
PREFIX = f"recipe-{secrets.token_hex(8)}:session:"


def log_in(cache, user):
    """Starts a session and returns its id, which is what the cookie holds."""
    session_id = secrets.token_urlsafe(32)
    cache.run({"command": "WRITE", "key": PREFIX + session_id, "value": user, "expire": SESSION_SECS})
    return session_id


def user_of(cache, session_id):
    """Returns the user of a session and prolongs it, or returns None if there is no such session."""
    reply = cache.run({"command": "READ", "key": PREFIX + session_id, "touch": SESSION_SECS}, "NOT_FOUND")
    return reply["value"] if reply["status"] == "SUCCESS" else None


def log_out(cache, session_id):
    cache.run({"command": "DELETE", "key": PREFIX + session_id}, "NOT_FOUND")


def main():
    cache = Cache()
    session_id = log_in(cache, {"name": "ada", "roles": ["admin"]})
    print("login: ada has a session")

    # Nearly all of the session's time is over, and then a request comes.
    cache.run({"command": "TOUCH", "key": PREFIX + session_id, "expire": 60})
    user = user_of(cache, session_id)
    assert user == {"name": "ada", "roles": ["admin"]}, user
    left = cache.run({"command": "TTL", "key": PREFIX + session_id})["ttl"]
    assert SESSION_SECS - 30 < left <= SESSION_SECS, left
    print("request: ada is logged in, and the session has all of its time again")

    log_out(cache, session_id)
    assert user_of(cache, session_id) is None
    print("logout: the session is gone")


if __name__ == "__main__":
    main()
