"""The attacks: one class each, with what it sends at first, and what it sends while it lasts."""

import contextlib
import json

from wire import DATA, Http1, Http2, frame

MIB = 1 << 20
# The attackers have addresses of their own, as they would in a network.
ADDRESS = "127.0.0.2"
DIGITS = "abcdefghijklmnopqrstuvwxyz0123456789"


class Attack:
    """Opens connections, and keeps them until the end."""

    name, limit = "", ""

    def __init__(self, target):
        self.target, self.connections, self.refused = target, [], 0

    def open(self, kind, source=ADDRESS, **more):
        """Opens a connection, or counts that it was refused."""
        try:
            connection = kind(self.target.port, source, **more)
        except OSError:
            self.refused += 1
            return None
        self.connections.append(connection)
        return connection

    def begin(self):
        """Sends what the attack begins with."""

    def again(self):
        """Sends what is sent again and again."""

    def end(self):
        for connection in self.connections:
            connection.close()

    def for_each(self, deed):
        """Does something with each connection, and forgets those that the service has closed."""
        for connection in list(self.connections):
            try:
                deed(connection)
            except OSError:
                connection.close()
                self.connections.remove(connection)


class Heads(Attack):
    name = "heads of requests that never get a body, with many fields, without a token"
    limit = "100 fields and 16 KiB in a head; few streams before a login; no head is kept while a body arrives"
    # With names of two letters, all fields together are just under the 16 KiB that HTTP/2 servers allow by default.
    fields = tuple((f"{DIGITS[number // 36]}{DIGITS[number % 36]}", "v") for number in range(440))

    def begin(self):
        for _ in range(60):
            connection = self.open(Http2)
            with contextlib.suppress(OSError):
                for _ in range(256 if connection else 0):
                    connection.open_stream("/login", self.fields)


class Unread(Attack):
    name = "replies of 64 MiB that nobody takes, on one connection that sends PINGs"
    limit = "`REPLIES_BYTES_MAX`, a share of it for each client, and a connection that takes nothing is closed"

    def begin(self):
        connection = self.open(Http2, window=0)
        for _ in range(12 if connection else 0):
            connection.request("/cache", reads(f"mib{number}" for number in range(64)), self.target.token)

    def again(self):
        self.for_each(Http2.ping)


class Escapes(Attack):
    name = "values of control characters, each six bytes in JSON"
    limit = "replies are counted as they are written"

    def begin(self):
        for _ in range(6):
            connection = self.open(Http2, window=2**31 - 1)
            if connection:
                connection.request("/cache", read("controls"), self.target.token)


class TooLarge(Attack):
    name = "READs of a value of 70 MiB that somebody else stored"
    limit = "`reply_too_large`, for a single READ as for a batch"

    def begin(self):
        for _ in range(8):
            connection = self.open(Http1)
            if connection:
                connection.request("/cache", read("huge"), self.target.token)


class HangUps(Attack):
    name = "batches of 8 READs of 8 MiB whose caller hangs up"
    limit = "bytes under way are limited for each client and node; bytes that arrive are a sign of life"

    def again(self):
        for _ in range(4):
            connection = self.open(Http1)
            if connection:
                connection.request("/cache", reads(f"large{number}" for number in range(8)), self.target.token)
                connection.receive(0.05)
                connection.close()
                self.connections.remove(connection)


class Places(Attack):
    name = "all places for connections, taken by peers that only send PINGs"
    limit = "connections for each address; peers without a login make room first; a PING is no activity"

    def begin(self):
        self.opened = 0
        while self.opened < self.target.connections_max + 50:
            self.open_next()

    def again(self):
        """Keeps the connections busy, and takes each place that became free."""
        self.for_each(Http2.ping)
        for _ in range(20):
            self.open_next()

    def open_next(self):
        # From many addresses, so that no limit for one address helps.
        self.opened += 1
        self.open(Http2, source=f"127.0.{1 + self.opened // 200 % 200}.{1 + self.opened % 200}")


class Address(Places):
    name = "all places for connections, taken from one address"
    limit = "connections for each address"

    def open_next(self):
        self.opened += 1
        self.open(Http2)


class Logins(Attack):
    name = "logins whose body never ends"
    limit = "small bodies do not wait for the memory of large ones"

    def begin(self):
        # Just what a connection may send before the service has read some of it; then short ones, which fit between.
        for length in [4_090] * 9 + [20] * 2:
            connection = self.open(Http2)
            with contextlib.suppress(OSError):
                for _ in range(240 if connection else 0):
                    connection.send(frame(DATA, 0, connection.open_stream("/login"), b" " * length))


class Bodies(Attack):
    name = "bodies of 8 MiB of one client that never end"
    limit = "a share of `BODIES_BYTES_MAX` for each client; bodies up to 64 KiB do not wait for it"

    def begin(self):
        for _ in range(17):
            connection = self.open(Http1)
            with contextlib.suppress(OSError):
                if connection:
                    connection.request("/cache", b"[" + b" " * (8 * MIB - 2), self.target.token, length=8 * MIB)
                    # One after the other, so that all the memory for bodies is taken but a few bytes.
                    connection.receive(0.2)


class Items(Attack):
    name = "batches of four million items that are no commands"
    limit = "the items are counted while they are read"
    body = b"[" + b"1," * (4 * MIB - 2) + b"1]"

    def again(self):
        for _ in range(4):
            connection = self.open(Http1)
            with contextlib.suppress(OSError):
                if connection:
                    connection.request("/cache", self.body, self.target.token)
                    connection.receive(5)
                    connection.close()
                    self.connections.remove(connection)


class Nesting(Attack):
    name = "values that are nested a million deep"
    limit = "128 levels"
    body = b'{"command":"WRITE","key":"deep","value":' + b"[" * MIB + b"]" * MIB + b"}"
    again = Items.again


class Undecodable(Attack):
    name = "READs of values that are no strings"
    limit = "an answer that cannot be read ends no connection"

    def again(self):
        for _ in range(12):
            connection = self.open(Http1)
            if connection:
                connection.request("/cache", read("list"), self.target.token)
                connection.receive(1)
                connection.close()
                self.connections.remove(connection)


def read(key):
    return json.dumps({"command": "READ", "key": key}).encode()


def reads(keys):
    return json.dumps([{"command": "READ", "key": key} for key in keys]).encode()


ALL = [Heads, Unread, Escapes, TooLarge, HangUps, Places, Address, Logins, Bodies, Items, Nesting, Undecodable]
