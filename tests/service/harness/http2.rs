//! A client that sends single frames of HTTP/2, and that may not behave well.

use super::authority;
use axum::http::{Request, StatusCode};
use bytes::Bytes;
use h2::{
    Ping, PingPong, RecvStream, SendStream,
    client::{self, ResponseFuture, SendRequest},
};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use std::{io, net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    io::AsyncWriteExt,
    net::{TcpSocket, TcpStream},
    task::JoinHandle,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

/// One HTTP/2 connection.
pub struct Http2 {
    requests: SendRequest<Bytes>,
    pings: PingPong,
    connection: JoinHandle<()>,
}

/// A request whose body is not finished, and its response.
pub struct Unfinished {
    /// Sends the body.
    pub body: SendStream<Bytes>,
    /// The response.
    pub response: ResponseFuture,
}

/// Opens a TLS connection from this address after sending `first`.
pub async fn connect_tls(
    address: SocketAddr,
    from: [u8; 4],
    first: &[u8],
    protocol: &[u8],
) -> io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority().pem().as_bytes()).expect("PEM")).expect("an authority");
    let mut config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![protocol.to_vec()];
    let socket = TcpSocket::new_v4()?;
    socket.bind((from, 0).into())?;
    let mut stream = socket.connect(address).await?;
    stream.write_all(first).await?;
    let name = ServerName::try_from("localhost").expect("a name");
    TlsConnector::from(Arc::new(config)).connect(name, stream).await
}

impl Http2 {
    /// Connects to a service.
    pub async fn connect(address: SocketAddr) -> Self {
        Self::connect_from(address, [127, 0, 0, 1]).await.expect("a connection")
    }

    /// Connects to a service from one of the loopback addresses. Waits until the service has accepted the connection.
    pub async fn connect_from(address: SocketAddr, from: [u8; 4]) -> io::Result<Self> {
        let stream = connect_tls(address, from, b"", b"h2").await?;
        let (requests, mut connection) = client::handshake(stream).await.map_err(io::Error::other)?;
        let pings = connection.ping_pong().expect("the only one");
        let connection = tokio::spawn(async move {
            // The end is all that counts.
            let _ended = connection.await;
        });
        let mut this = Self { requests, pings, connection };
        this.ping().await.map_err(io::Error::other)?;
        Ok(this)
    }

    /// Waits until the service has received everything that was sent.
    pub async fn ping(&mut self) -> Result<(), h2::Error> {
        self.pings.ping(Ping::opaque()).await.map(drop)
    }

    /// Sends PING frames until the connection ends.
    pub async fn ping_until_closed(address: SocketAddr, every: Duration) {
        let stream = connect_tls(address, [127, 0, 0, 1], b"", b"h2").await.expect("a connection");
        let (_requests, mut connection) = client::handshake(stream).await.expect("HTTP/2");
        let mut pings = connection.ping_pong().expect("the only one");
        let connection = tokio::spawn(connection);
        while pings.ping(Ping::opaque()).await.is_ok() {
            tokio::time::sleep(every).await;
        }
        connection.abort();
    }

    /// Returns true if the service has closed the connection.
    pub fn is_closed(&self) -> bool {
        self.connection.is_finished()
    }

    /// Sends the head of a POST with additional fields. Waits until the service allows another request.
    pub async fn post(&mut self, path: &str, fields: &[(&str, String)]) -> Result<Unfinished, h2::Error> {
        let mut request = Request::post(format!("https://localhost{path}"));
        for (name, value) in fields {
            request = request.header(*name, value);
        }
        let mut requests = self.requests.clone().ready().await?;
        let (response, body) = requests.send_request(request.body(()).expect("a request"), false)?;
        Ok(Unfinished { body, response })
    }

    /// Sends a POST with a body, and returns the status and the body of its response.
    pub async fn send(&mut self, path: &str, fields: &[(&str, String)], body: &str) -> (StatusCode, String) {
        let mut unfinished = self.post(path, fields).await.expect("it is sent");
        // A response may arrive before the body was sent.
        let _sent = unfinished.body.send_data(Bytes::copy_from_slice(body.as_bytes()), true);
        unfinished.answer().await.expect("an answer")
    }
}

impl Unfinished {
    /// Waits for the response.
    pub async fn answer(self) -> Result<(StatusCode, String), h2::Error> {
        let response = self.response.await?;
        let (status, mut stream): (StatusCode, RecvStream) = (response.status(), response.into_body());
        let mut text = Vec::new();
        while let Some(data) = stream.data().await {
            text.extend_from_slice(&data?);
        }
        Ok((status, String::from_utf8(text).expect("a text")))
    }
}

impl Drop for Http2 {
    fn drop(&mut self) {
        self.connection.abort();
    }
}
