//! Plain HTTP on the HTTPS port. It is recognized by its first bytes, and answered in plain HTTP: an alert of TLS would be
//! noise to its client.

use super::movable::MovableTcp;
use crate::http::{ErrorCode, HttpService, https_required};
use axum::response::Response;
use axum_server::{
    accept::Accept,
    tls_rustls::{RustlsAcceptor, RustlsConfig},
};
use hyper::{Request, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::{convert::Infallible, io, pin::Pin, time::Duration};
use tokio::time::timeout;
use tokio_rustls::server::TlsStream;

/// Bytes that are looked at: the longest methods have 17 letters.
const PEEKED_BYTES: usize = 18;

/// Accepts connections of TLS, and answers those that begin with a request of plain HTTP.
#[derive(Clone)]
pub struct HttpsAcceptor {
    tls: RustlsAcceptor,
    /// Time for the first bytes and the handshake together, or for the request of plain HTTP.
    handshake_timeout: Duration,
}

impl HttpsAcceptor {
    /// Creates an acceptor that does the handshakes of TLS with this configuration.
    pub fn new(tls: RustlsConfig, handshake_timeout: Duration) -> Self {
        Self { tls: RustlsAcceptor::new(tls), handshake_timeout }
    }

    /// Does the handshake. A connection of plain HTTP ends here, after its answer.
    async fn enter(
        &self,
        mut stream: MovableTcp,
        service: HttpService,
    ) -> io::Result<(TlsStream<MovableTcp>, HttpService)> {
        let mut first = [0; PEEKED_BYTES];
        // The bytes stay in the socket, for the handshake.
        let length = stream.tcp()?.peek(&mut first).await?;
        if is_http(&first[..length]) {
            service.state().failures.count(ErrorCode::HttpsRequired);
            answer(stream).await;
            return Err(io::ErrorKind::InvalidData.into());
        }
        self.tls.accept(stream, service).await
    }
}

impl Accept<MovableTcp, HttpService> for HttpsAcceptor {
    type Stream = TlsStream<MovableTcp>;
    type Service = HttpService;
    type Future = Pin<Box<dyn Future<Output = io::Result<(Self::Stream, Self::Service)>> + Send>>;

    fn accept(&self, stream: MovableTcp, service: HttpService) -> Self::Future {
        let this = self.clone();
        Box::pin(async move { timeout(this.handshake_timeout, this.enter(stream, service)).await? })
    }
}

/// Returns true if bytes begin with a method of HTTP, or with a part of one. A handshake of TLS begins with the byte 22.
fn is_http(first: &[u8]) -> bool {
    let letters = first.iter().take_while(|byte| byte.is_ascii_uppercase()).count();
    letters > 0 && first.get(letters).is_none_or(|byte| *byte == b' ')
}

/// Answers one request of plain HTTP, and closes the connection.
async fn answer(stream: MovableTcp) {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).keep_alive(false);
    // A client that sends no whole request gets no answer.
    let _answered = http.serve_connection(TokioIo::new(stream), service_fn(answer_request)).await;
}

// Not a closure: with one, the compiler (1.95) fails now and then when it compiles a change.
async fn answer_request(request: Request<Incoming>) -> Result<Response, Infallible> {
    Ok(https_required(request.map(axum::body::Body::new)).await)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_of_plain_http_is_recognized_by_its_first_bytes() {
        for first in ["GET / HTTP/1.0", "POST /cache", "G", "OPTIONS", "DELETE * HTT"] {
            assert!(is_http(first.as_bytes()), "{first}");
        }
        for first in [&b""[..], b"\x16\x03\x01\x02\x00", b"SSH-2.0-x", b"\r\n", b"get / HTTP/1.1", &[0x80, 0x2e]] {
            assert!(!is_http(first), "{first:?}");
        }
    }
}
