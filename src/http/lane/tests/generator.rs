//! Streams of requests: plain ones, known tricks, and both with random changes.

/// A request that nothing is unusual about.
pub const PLAIN: &str =
    "POST /cache HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer t\r\nContent-Length: 4\r\nContent-Type: a/b\r\n\r\nbody";

/// Lines in the heads of requests, most of them unusual. `\n` stands alone in some.
const LINES: &[&str] = &[
    "Host: a\r\n",
    "host:a\r\n",
    "HOST: \r\n",
    "Host : a\r\n",
    " Host: a\r\n",
    "Host: a, b\r\n",
    "Host: a\n",
    "Content-Length: 4\r\n",
    "content-length:4\r\n",
    "Content-Length: 4 \r\n",
    "Content-Length: 04\r\n",
    "Content-Length: +4\r\n",
    "Content-Length: -4\r\n",
    "Content-Length: 4, 4\r\n",
    "Content-Length: 4,5\r\n",
    "Content-Length: 0x4\r\n",
    "Content-Length: 4.0\r\n",
    "Content-Length: 1e1\r\n",
    "Content-Length: \r\n",
    "Content-Length: 99999999999999999999\r\n",
    "Content-Length: 18446744073709551616\r\n",
    "Content-Length: 65536\r\n",
    "Content-Length: 65537\r\n",
    "Content-Length: 0\r\n",
    "Content-Length: 5\r\n",
    "Content-Length: 4\n",
    "Content-Length\r\n",
    "Content-Length : 4\r\n",
    "Content_Length: 4\r\n",
    "Content-Length:\t4\r\n",
    "Transfer-Encoding: chunked\r\n",
    "transfer-encoding: Chunked\r\n",
    "Transfer-Encoding: gzip, chunked\r\n",
    "Transfer-Encoding: chunked, identity\r\n",
    "Transfer-Encoding: identity\r\n",
    "Transfer-Encoding:\x0bchunked\r\n",
    "Transfer-Encoding : chunked\r\n",
    "Transfer-Encoding: xchunked\r\n",
    "X: y\r\n Transfer-Encoding: chunked\r\n",
    "Transfer-Encoding:\r\n chunked\r\n",
    "Transfer-Encoding: \"chunked\"\r\n",
    "Transfer_Encoding: chunked\r\n",
    "X: y\nTransfer-Encoding: chunked\r\n",
    "Transfer-Encoding\0: chunked\r\n",
    "Expect: 100-continue\r\n",
    "Expect: other\r\n",
    "Upgrade: h2c\r\nConnection: upgrade, http2-settings\r\n",
    "Upgrade: websocket\r\n",
    "Connection: close\r\n",
    "Connection: keep-alive\r\n",
    "connection: Keep-Alive\r\n",
    "Connection: keep-alive, close\r\n",
    "Connection: content-length\r\n",
    "Connection: \r\n",
    "Keep-Alive: 5\r\n",
    "Authorization: Bearer t\r\n",
    "authorization:Bearer\tt\r\n",
    "Authorization: \u{e4}\r\n",
    "Authorization:\r\n",
    "Content-Type: application/json; charset=utf-8\r\n",
    "Content-Encoding: gzip\r\n",
    "TE: trailers\r\n",
    "Trailer: x\r\n",
    "X: \x01\r\n",
    "X: \x7f\r\n",
    "X: a\0b\r\n",
    "X:\r\n",
    ": x\r\n",
    "X\r\n",
    "\u{e4}: x\r\n",
    "X: y\r",
    "X: y\r\r\n",
    "\n",
    "X-Forwarded-For: 10.0.0.1\r\n",
    "Cookie: a=b; c=d\r\n",
    "Accept: */*\r\n",
];

const REQUEST_LINES: &[&str] = &[
    "POST /cache HTTP/1.1\r\n",
    "POST /cache HTTP/1.1\r\n",
    "POST /cache HTTP/1.1\r\n",
    "POST /cache HTTP/1.1\r\n",
    "POST /login HTTP/1.1\r\n",
    "POST /cache HTTP/1.0\r\n",
    "POST /cache HTTP/1.1\n",
    "POST /cache HTTP/1.2\r\n",
    "POST /cache HTTP/2.0\r\n",
    "POST  /cache HTTP/1.1\r\n",
    "POST /cache  HTTP/1.1\r\n",
    "POST /cache HTTP/1.1 \r\n",
    "post /cache HTTP/1.1\r\n",
    "GET /cache HTTP/1.1\r\n",
    "POST /cache?x=1 HTTP/1.1\r\n",
    "POST /cache# HTTP/1.1\r\n",
    "POST http://a/cache HTTP/1.1\r\n",
    "POST //cache HTTP/1.1\r\n",
    "POST /Cache HTTP/1.1\r\n",
    "POST * HTTP/1.1\r\n",
    "POST /%63ache HTTP/1.1\r\n",
    "\r\nPOST /cache HTTP/1.1\r\n",
    "\nPOST /cache HTTP/1.1\r\n",
    "POST /cache\r\n",
    "CONNECT a:1 HTTP/1.1\r\n",
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "OPTIONS * HTTP/1.1\r\n",
    "HEAD /cache HTTP/1.1\r\n",
    " POST /cache HTTP/1.1\r\n",
    "POST\t/cache HTTP/1.1\r\n",
    "POST /cache HTTP/1.1\r\r\n",
    "\0",
];

const BODIES: &[&str] = &[
    "",
    "body",
    "body5",
    "4\r\nbody\r\n0\r\n\r\n",
    "0\r\n\r\n",
    "0\r\n\r\nPOST /login HTTP/1.1\r\nHost: b\r\n\r\n",
    "4;x=y\r\nbody\r\n0\r\nTrailer: z\r\n\r\n",
    "ffffffffffffffff1\r\n",
    "\r\n",
    "GET / HTTP/1.1\r\nHost: c\r\n\r\n",
];

/// Returns one request for each line and each request line, in the company of ordinary ones.
pub fn corpus() -> Vec<String> {
    let usual = "Host: a\r\nContent-Length: 4\r\n";
    let lines = LINES.iter().flat_map(|line| {
        [
            format!("POST /cache HTTP/1.1\r\n{usual}{line}\r\nbody"),
            format!("POST /cache HTTP/1.1\r\nHost: a\r\n{line}\r\n4\r\nbody\r\n0\r\n\r\n"),
            format!("POST /cache HTTP/1.1\r\n{line}Content-Length: 4\r\n\r\nbody"),
            format!("POST /login HTTP/1.1\r\n{line}{usual}\r\nbody"),
        ]
    });
    let request_lines = REQUEST_LINES.iter().map(|line| format!("{line}{usual}\r\nbody"));
    let many = "X: y\r\n";
    let heads =
        [46, 47, 49, 98, 99].map(|count| format!("POST /cache HTTP/1.1\r\n{usual}{}\r\nbody", many.repeat(count)));
    lines.chain(request_lines).chain(heads).collect()
}

/// Makes streams from a number.
pub struct Generator(u64);

impl Generator {
    /// Creates the generator of one stream.
    pub fn new(case: u64) -> Self {
        Self(case)
    }

    /// Returns the next random number (`SplitMix64`).
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// Returns a random number below `end`.
    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end.max(1) as u64).expect("it is below a usize")
    }

    fn choose<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len())]
    }

    /// Returns a stream of one to four requests.
    pub fn stream(&mut self) -> Vec<u8> {
        let mut stream = Vec::new();
        for _ in 0..=self.below(4) {
            if self.below(3) > 0 {
                stream.extend_from_slice(PLAIN.as_bytes());
                continue;
            }
            stream.extend_from_slice(self.choose(REQUEST_LINES).as_bytes());
            if self.below(8) > 0 {
                stream.extend_from_slice(b"Host: a\r\nContent-Length: 4\r\n");
            }
            for _ in 0..self.below(4) {
                stream.extend_from_slice(self.choose(LINES).as_bytes());
            }
            stream.extend_from_slice(b"\r\n");
            stream.extend_from_slice(self.choose(BODIES).as_bytes());
        }
        for _ in 0..self.below(4).saturating_sub(1) {
            self.change(&mut stream);
        }
        stream
    }

    /// Changes a few bytes of a stream.
    fn change(&mut self, stream: &mut Vec<u8>) {
        if stream.is_empty() {
            return;
        }
        let (position, other) = (self.below(stream.len()), self.below(stream.len()));
        match self.below(5) {
            0 => stream[position] = self.next().to_le_bytes()[0],
            1 => _ = stream.remove(position),
            2 => stream.insert(position, b"\r\n \t:,0\0\x80/"[self.below(10)]),
            3 => stream.truncate(position),
            _ => {
                let (from, to) = (position.min(other), position.max(other).min(position.min(other) + 40));
                let copied = stream[from..to].to_vec();
                let at = self.below(stream.len());
                stream.splice(at..at, copied);
            }
        }
    }

    /// Cuts a stream into up to five pieces.
    pub fn pieces<'s>(&mut self, stream: &'s [u8]) -> Vec<&'s [u8]> {
        let mut pieces = Vec::new();
        let mut rest = stream;
        for _ in 0..self.below(5) {
            let (piece, left) = rest.split_at(self.below(rest.len()));
            pieces.push(piece);
            rest = left;
        }
        pieces.push(rest);
        pieces
    }
}
