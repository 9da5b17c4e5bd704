"""Connections of an attacker: TLS with bytes written by hand, in HTTP/1.1 or HTTP/2."""

import contextlib
import socket
import ssl
import struct

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, SETTINGS, PING, CONTINUATION = 0x0, 0x1, 0x4, 0x6, 0x9
END_STREAM, END_HEADERS = 0x1, 0x4
INITIAL_WINDOW_SIZE = 0x4
FRAME_BYTES = 16_384
# A server that no longer reads must not hold the attacker for ever.
SEND_SECS = 5


class Connection:
    """A TLS connection from one of the loopback addresses."""

    def __init__(self, port, protocol, source):
        context = ssl._create_unverified_context()
        context.set_alpn_protocols([protocol])
        plain = socket.create_connection(("127.0.0.1", port), SEND_SECS, (source, 0))
        try:
            self.socket = context.wrap_socket(plain)
        except OSError:
            plain.close()
            raise

    def send(self, data):
        self.socket.sendall(data)

    def receive(self, secs):
        """Returns what comes within this time, and nothing once the connection is closed."""
        self.socket.settimeout(secs)
        try:
            return self.socket.recv(65_536)
        except OSError:
            return b""
        finally:
            self.socket.settimeout(SEND_SECS)

    def close(self):
        """Hangs up without a word."""
        with contextlib.suppress(OSError):
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()


class Http1(Connection):
    def __init__(self, port, source):
        super().__init__(port, "http/1.1", source)

    def request(self, path, body, token=None, length=None):
        """Sends a POST whose body may be shorter than its Content-Length says."""
        head = f"POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {length or len(body)}\r\n"
        if token:
            head += f"authorization: Bearer {token}\r\n"
        self.send(head.encode() + b"\r\n" + body)


class Http2(Connection):
    def __init__(self, port, source, window=65_535):
        super().__init__(port, "h2", source)
        self.stream = -1
        self.send(PREFACE + frame(SETTINGS, 0, 0, struct.pack(">HI", INITIAL_WINDOW_SIZE, window)))

    def open_stream(self, path, more=(), token=None):
        """Sends the head of a POST, without its body. Returns the number of the stream."""
        self.stream += 2
        fields = [(":method", "POST"), (":scheme", "https"), (":authority", "localhost"), (":path", path), ("content-type", "application/json")]
        if token:
            fields.append(("authorization", f"Bearer {token}"))
        block = b"".join(literal(name, value) for name, value in [*fields, *more])
        first, rest = block[:FRAME_BYTES], block[FRAME_BYTES:]
        frames = frame(HEADERS, 0 if rest else END_HEADERS, self.stream, first)
        while rest:
            part, rest = rest[:FRAME_BYTES], rest[FRAME_BYTES:]
            frames += frame(CONTINUATION, 0 if rest else END_HEADERS, self.stream, part)
        self.send(frames)
        return self.stream

    def request(self, path, body, token):
        stream = self.open_stream(path, token=token)
        self.send(frame(DATA, END_STREAM, stream, body))

    def ping(self):
        self.send(frame(PING, 0, 0, b"attacker"))


def frame(kind, flags, stream, payload):
    """Returns a frame of HTTP/2 (RFC 9113, section 4.1)."""
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def literal(name, value):
    """Returns a field that is in no table (RFC 7541, section 6.2.2)."""
    return b"\x00" + text(name) + text(value)


def text(word):
    encoded = word.encode()
    if len(encoded) < 127:
        return bytes([len(encoded)]) + encoded
    rest, count = [], len(encoded) - 127
    while count >= 128:
        rest.append(count % 128 + 128)
        count //= 128
    return bytes([127, *rest, count]) + encoded
