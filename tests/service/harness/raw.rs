//! A client of HTTP/1 that sends exactly the bytes of a test.

use super::connect_tls;
use std::{io, net::SocketAddr};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::client::TlsStream;

/// One connection of HTTP/1.
pub struct Raw<S>(pub S);

/// A response as it was received.
#[derive(Debug)]
pub struct RawResponse {
    /// The status line and the headers, in lower case.
    pub head: String,
    /// The body.
    pub body: String,
}

impl Raw<TcpStream> {
    /// Connects without TLS.
    pub async fn plain(address: SocketAddr) -> Self {
        Self(TcpStream::connect(address).await.expect("a connection"))
    }
}

impl Raw<TlsStream<TcpStream>> {
    /// Connects with TLS, and offers this protocol only.
    pub async fn tls(address: SocketAddr, protocol: &[u8]) -> Self {
        Self(connect_tls(address, [127, 0, 0, 1], b"", protocol).await.expect("a connection"))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Raw<S> {
    /// Sends bytes, and returns the response to them.
    pub async fn send(&mut self, request: impl AsRef<[u8]>) -> RawResponse {
        self.0.write_all(request.as_ref()).await.expect("it is sent");
        self.response().await.expect("a response")
    }

    /// Reads one response.
    async fn response(&mut self) -> io::Result<RawResponse> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(self.0.read_u8().await?);
        }
        let head = String::from_utf8(head).expect("a text").to_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let mut body = vec![0; length.map_or(0, |length| length.parse().expect("a number"))];
        self.0.read_exact(&mut body).await?;
        Ok(RawResponse { head, body: String::from_utf8(body).expect("a text") })
    }

    /// Waits until the service closes the connection.
    pub async fn closed(&mut self) {
        let mut rest = Vec::new();
        // A reset is as acceptable as an end.
        let _read = self.0.read_to_end(&mut rest).await;
        assert!(rest.is_empty(), "{rest:?}");
    }
}

impl RawResponse {
    /// Returns the status code.
    pub fn status(&self) -> u16 {
        self.head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status")
    }

    /// Returns true if the head has this line, which is in lower case.
    pub fn has(&self, line: &str) -> bool {
        self.head.lines().any(|given| given == line)
    }

    /// Asserts that the response is an error with this status and code.
    #[track_caller]
    pub fn expect_error(&self, status: u16, code: &str) {
        assert_eq!(self.status(), status, "{self:?}");
        assert!(self.body.contains(&format!("\"code\":\"{code}\"")), "{self:?}");
        assert!(self.has("content-type: application/json"), "{self:?}");
    }
}
