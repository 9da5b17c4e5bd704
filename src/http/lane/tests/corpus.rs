//! Plain requests and known tricks.

/// A request that nothing is unusual about.
pub const PLAIN: &str =
    "POST /cache HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer t\r\nContent-Length: 4\r\nContent-Type: a/b\r\n\r\nbody";

/// Lines in the heads of requests, most of them unusual. `\n` stands alone in some.
pub const LINES: &[&str] = &[
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

/// First lines of requests.
pub const REQUEST_LINES: &[&str] = &[
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

/// Bodies, and what could be taken for further requests.
pub const BODIES: &[&str] = &[
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
pub fn requests() -> Vec<String> {
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
