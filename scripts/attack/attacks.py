"""The attacks: one class each, with what it sends at first, and what it sends while it lasts."""

import contextlib
import json

from wire import DATA, Http1, Http2, frame

MIB = 1 << 20
# The attackers have addresses of their own, as they would in a network.
ADDRESS = "127.0.0.2"


class Attack:
    """Opens connections, and keeps them until the end."""

    name, limit = "", ""

    def __init__(self, target):
        self.target, self.connections = target, []

    def open(self, kind, source=ADDRESS, **more):
        """Opens a connection. Returns nothing if it was refused."""
        try:
            connection = kind(self.target.port, source, **more)
        except OSError:
            return None
        self.connections.append(connection)
        return connection

    def ask(self, kind, body, **more):
        """Opens a connection and sends a request, as far as the service lets it. Returns the connection."""
        connection = self.open(kind, **more)
        with contextlib.suppress(OSError):
            if connection:
                connection.request("/cache", body, self.target.token)
        return connection

    def ask_and_hang_up(self, body, secs):
        """Sends a request and hangs up once something of the answer has come, or after this time."""
        connection = self.ask(Http1, body)
        if connection:
            connection.receive(secs)
            connection.close()
            self.connections.remove(connection)

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
    # As many and as long as a head may have: 90 fields, just under 16 KiB. Before the limit of fields, 440 short ones were worse.
    fields = tuple((f"x{number}", "v" * 120) for number in range(90))

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
        with contextlib.suppress(OSError):
            for _ in range(12 if connection else 0):
                connection.request("/cache", reads(f"mib{number}" for number in range(64)), self.target.token)

    def again(self):
        self.for_each(Http2.ping)


class Escapes(Attack):
    name = "values of control characters, each six bytes in JSON"
    limit = "replies are counted as they are written"

    def begin(self):
        for _ in range(6):
            self.ask(Http2, read("controls"), window=2**31 - 1)


class TooLarge(Attack):
    name = "READs of a value of 70 MiB that somebody else stored"
    limit = "`reply_too_large`, for a single READ as for a batch"

    def begin(self):
        for _ in range(8):
            self.ask(Http1, read("huge"))


class HangUps(Attack):
    name = "batches of 8 READs of 8 MiB whose caller hangs up"
    limit = "bytes under way are limited for each client and node; each 16 KiB of a reply is a sign of life"

    def again(self):
        for _ in range(4):
            self.ask_and_hang_up(reads(f"large{number}" for number in range(8)), 0.05)


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
            self.ask_and_hang_up(self.body, 5)


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
            self.ask_and_hang_up(read("list"), 1)


def read(key):
    return json.dumps({"command": "READ", "key": key}).encode()


def reads(keys):
    return json.dumps([{"command": "READ", "key": key} for key in keys]).encode()


ALL = [Heads, Unread, Escapes, TooLarge, HangUps, Places, Address, Logins, Bodies, Items, Nesting, Undecodable]
