//! The endpoint: its URL, how its certificate is checked, and one HTTP/1.1 connection to it.

use super::trust::{self, Trust};
use crate::cli::{Failure, table::escaped};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{
    Request, Uri,
    client::conn::http1::{SendRequest, handshake},
    header::{AUTHORIZATION, CONTENT_TYPE, HOST, RETRY_AFTER},
};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use std::{sync::Arc, time::Duration};
use tokio::{net::TcpStream, task::JoinHandle, time::timeout};
use tokio_rustls::TlsConnector;

const HTTPS_PORT: u16 = 443;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// A request that has no answer by then has failed.
pub const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// The longest answer: a value may have 8 MiB, and more when it is written as JSON.
const ANSWER_BYTES_MAX: usize = 64 << 20;
/// The longest wait that an answer may ask for.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(60);

#[derive(Clone)]
pub struct ServiceUrl {
    host: String,
    port: u16,
    /// What stands before `/login` and `/cache`.
    path: String,
    authority: String,
    name: ServerName<'static>,
    tls: TlsConnector,
}

/// What came back.
pub struct HttpAnswer {
    pub status: u16,
    pub retry_after: Option<Duration>,
    pub body: Bytes,
}

impl HttpAnswer {
    /// The code of an error, as `503 shard_unavailable`.
    pub fn code(&self) -> String {
        let body: serde_json::Value = serde_json::from_slice(&self.body).unwrap_or_default();
        let code = body["code"].as_str().filter(|code| code.len() <= 64).unwrap_or("without a code");
        format!("{} {}", self.status, escaped(code))
    }
}

impl ServiceUrl {
    pub fn new(url: &str, trust: &Trust) -> Result<Self, Failure> {
        let wrong = |why: &str| Failure::usage(format!("{url} is no URL to test: {why}"));
        let uri: Uri = url.parse().map_err(|error| wrong(&format!("{error}")))?;
        if uri.scheme_str() != Some("https") {
            return Err(wrong("it has to begin with https://, so that no token is sent in the clear"));
        }
        let authority = uri.authority().ok_or_else(|| wrong("it names no host"))?;
        if authority.as_str().contains('@') {
            return Err(wrong("there are no names and passwords in it, see --api-key-file"));
        }
        if uri.query().is_some() {
            return Err(wrong("it has no query"));
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        let name = ServerName::try_from(host.clone()).map_err(|error| wrong(&error.to_string()))?;
        Ok(Self {
            port: authority.port_u16().unwrap_or(HTTPS_PORT),
            path: uri.path().trim_end_matches('/').to_owned(),
            authority: authority.as_str().to_owned(),
            tls: TlsConnector::from(Arc::new(trust::client(trust)?)),
            host,
            name,
        })
    }

    /// Opens a connection. The error is a sentence without its subject.
    pub async fn connect(&self) -> Result<Connection, String> {
        let connect = async {
            let stream =
                TcpStream::connect((self.host.as_str(), self.port)).await.map_err(|error| error.to_string())?;
            stream.set_nodelay(true).map_err(|error| error.to_string())?;
            let stream =
                self.tls.connect(self.name.clone(), stream).await.map_err(|error| trust::said(&error.to_string()))?;
            let (sender, connection) = handshake(TokioIo::new(stream)).await.map_err(|error| error.to_string())?;
            let task = tokio::spawn(async move { drop(connection.await) });
            Ok(Connection { sender, task })
        };
        timeout(CONNECT_TIMEOUT, connect).await.unwrap_or_else(|_| Err("it took too long".to_owned()))
    }

    /// A request with a JSON body; `path` is `/login` or `/cache`.
    pub fn request(&self, path: &str, token: Option<&str>, body: Bytes) -> Result<Request<Full<Bytes>>, String> {
        let mut request = Request::post(format!("{}{path}", self.path))
            .header(HOST, &self.authority)
            .header(CONTENT_TYPE, "application/json");
        if let Some(token) = token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        request.body(Full::new(body)).map_err(|error| error.to_string())
    }
}

/// An open connection, for one request at a time.
pub struct Connection {
    sender: SendRequest<Full<Bytes>>,
    task: JoinHandle<()>,
}

impl Connection {
    /// Whether another request can be sent; the service may have closed it.
    pub async fn is_ready(&mut self) -> bool {
        self.sender.ready().await.is_ok()
    }

    /// Sends a request and reads the whole answer. After an error the connection is of no more use.
    pub async fn ask(&mut self, request: Request<Full<Bytes>>) -> Result<HttpAnswer, &'static str> {
        let ask = async {
            let (head, body) = self.sender.send_request(request).await.ok()?.into_parts();
            let retry_after = head.headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
            Some(HttpAnswer {
                status: head.status.as_u16(),
                retry_after: retry_after.map(|secs| Duration::from_secs(secs).min(RETRY_AFTER_MAX)),
                body: Limited::new(body, ANSWER_BYTES_MAX).collect().await.ok()?.to_bytes(),
            })
        };
        match timeout(ANSWER_TIMEOUT, ask).await {
            Ok(Some(answer)) => Ok(answer),
            Ok(None) => Err("connection lost"),
            Err(_) => Err("no answer in 10 s"),
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.task.abort();
    }
}
