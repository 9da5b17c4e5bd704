//! The tested service: its URL, and one HTTP/1.1 connection to it.

use super::{
    error::{BenchConnectError, BenchError},
    trust::{self, Trust},
};
use crate::{
    cli::{failure::Failure, table::escaped},
    types::without_userinfo,
};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{
    Request, Uri,
    client::conn::http1::{SendRequest, handshake},
    header::{AUTHORIZATION, CONTENT_TYPE, HOST, RETRY_AFTER},
};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use std::{fmt::Display, sync::Arc, time::Duration};
use tokio::{net::TcpStream, task::JoinHandle, time::timeout};
use tokio_rustls::TlsConnector;

const HTTPS_PORT: u16 = 443;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Time for an answer, after which the request has failed.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest answer: a value can have 8 MiB, and its JSON is longer.
const ANSWER_BYTES_MAX: usize = 64 << 20;
/// Longest wait for a `Retry-After`.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(60);

/// The URL of the service, with the parameters of TLS.
#[derive(Clone)]
pub struct ServiceUrl {
    host: String,
    port: u16,
    /// Path before `/login` and `/cache`.
    path: String,
    authority: String,
    name: ServerName<'static>,
    tls: TlsConnector,
}

/// An answer of the service.
pub struct HttpAnswer {
    /// Status code.
    pub status: u16,
    /// Wait that the service asks for.
    pub retry_after: Option<Duration>,
    /// The whole body.
    pub body: Bytes,
}

impl HttpAnswer {
    /// Returns status and error code, such as `503 shard_unavailable`.
    pub fn code(&self) -> String {
        let body: serde_json::Value = serde_json::from_slice(&self.body).unwrap_or_default();
        let code = body["code"].as_str().filter(|code| code.len() <= 64).unwrap_or("without a code");
        format!("{} {}", self.status, escaped(code))
    }
}

impl ServiceUrl {
    /// Parses the URL and reads the trusted certificates.
    pub fn new(url: &str, trust: &Trust) -> Result<Self, Failure> {
        let uri: Uri = url.parse().map_err(|error| invalid(url, error))?;
        if uri.scheme_str() != Some("https") {
            return Err(invalid(url, "it does not begin with https://, and a token must not be sent in clear"));
        }
        let authority = uri.authority().ok_or_else(|| invalid(url, "it names no host"))?;
        if authority.as_str().contains('@') {
            return Err(invalid(url, "it has a name or a password; use --api-key-file"));
        }
        if uri.query().is_some() {
            return Err(invalid(url, "it has a query"));
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        let name = ServerName::try_from(host.clone()).map_err(|error| invalid(url, error))?;
        Ok(Self {
            port: authority.port_u16().unwrap_or(HTTPS_PORT),
            path: uri.path().trim_end_matches('/').to_owned(),
            authority: authority.as_str().to_owned(),
            tls: TlsConnector::from(Arc::new(trust::client(trust)?)),
            host,
            name,
        })
    }

    /// Opens a connection.
    pub async fn connect(&self) -> Result<Connection, BenchError> {
        let connected = timeout(CONNECT_TIMEOUT, self.open()).await.unwrap_or(Err(BenchConnectError::TimedOut));
        connected
            .map_err(|source| BenchError::Connect { url: format!("https://{}{}", self.authority, self.path), source })
    }

    async fn open(&self) -> Result<Connection, BenchConnectError> {
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await?;
        stream.set_nodelay(true)?;
        let stream = self.tls.connect(self.name.clone(), stream).await.map_err(BenchConnectError::handshake)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        let task = tokio::spawn(async move { drop(connection.await) });
        Ok(Connection { sender, task })
    }

    /// Builds a request with a JSON body; `path` is `/login` or `/cache`.
    pub fn request(&self, path: &str, token: Option<&str>, body: Bytes) -> Result<Request<Full<Bytes>>, BenchError> {
        let mut request = Request::post(format!("{}{path}", self.path))
            .header(HOST, &self.authority)
            .header(CONTENT_TYPE, "application/json");
        if let Some(token) = token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        Ok(request.body(Full::new(body))?)
    }
}

fn invalid(url: &str, reason: impl Display) -> Failure {
    Failure::usage(format!("{} cannot be tested: {reason}", without_userinfo(url)))
}

/// An open connection, for one request at a time.
pub struct Connection {
    sender: SendRequest<Full<Bytes>>,
    task: JoinHandle<()>,
}

impl Connection {
    /// Returns true if another request can be sent; the service may have closed the connection.
    pub async fn is_ready(&mut self) -> bool {
        self.sender.ready().await.is_ok()
    }

    /// Sends a request and reads the whole answer. After an error the connection must not be used again.
    pub async fn send(&mut self, request: Request<Full<Bytes>>) -> Result<HttpAnswer, BenchError> {
        let answer = async {
            let (head, body) = self.sender.send_request(request).await.ok()?.into_parts();
            let retry_after = head.headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
            Some(HttpAnswer {
                status: head.status.as_u16(),
                retry_after: retry_after.map(|secs| Duration::from_secs(secs).min(RETRY_AFTER_MAX)),
                body: Limited::new(body, ANSWER_BYTES_MAX).collect().await.ok()?.to_bytes(),
            })
        };
        match timeout(ANSWER_TIMEOUT, answer).await {
            Ok(Some(answer)) => Ok(answer),
            Ok(None) => Err(BenchError::ConnectionLost),
            Err(_) => Err(BenchError::TimedOut(ANSWER_TIMEOUT)),
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.task.abort();
    }
}
