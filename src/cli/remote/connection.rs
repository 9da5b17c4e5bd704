//! One HTTP/1.1 connection to a service.

use super::error::{RemoteError, ServiceConnectError};
use crate::cli::table::escaped;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{
    Request,
    client::conn::http1::{SendRequest, handshake},
    header::RETRY_AFTER,
};
use hyper_util::rt::TokioIo;
use std::time::Duration;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    task::JoinHandle,
    time::timeout,
};

/// Time for an answer to a small request.
pub const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest answer: the values of a batch can have 64 MiB, and the JSON around them is added.
const ANSWER_BYTES_MAX: usize = 96 << 20;
/// Longest wait for a `Retry-After`.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(60);

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

    /// Returns status, error code and message, such as `401 invalid_api_key: the API key is not known`.
    pub fn problem(&self) -> String {
        let body: serde_json::Value = serde_json::from_slice(&self.body).unwrap_or_default();
        let message = body["message"].as_str().map(|message| format!(": {}", escaped(message)));
        self.code() + message.as_deref().unwrap_or_default()
    }
}

/// An open connection, for one request at a time.
pub struct Connection {
    sender: SendRequest<Full<Bytes>>,
    task: JoinHandle<()>,
}

impl Connection {
    /// Begins to speak HTTP over an open stream.
    pub async fn over(
        stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    ) -> Result<Self, ServiceConnectError> {
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        let task = tokio::spawn(async move { drop(connection.await) });
        Ok(Self { sender, task })
    }

    /// Returns true if another request can be sent; the service may have closed the connection.
    pub async fn is_ready(&mut self) -> bool {
        self.sender.ready().await.is_ok()
    }

    /// Sends a request and reads the whole answer, within a time. After an error the connection must not be used again.
    pub async fn send(&mut self, request: Request<Full<Bytes>>, time: Duration) -> Result<HttpAnswer, RemoteError> {
        let answer = async {
            let (head, body) = self.sender.send_request(request).await.ok()?.into_parts();
            let retry_after = head.headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
            Some(HttpAnswer {
                status: head.status.as_u16(),
                retry_after: retry_after.map(|secs| Duration::from_secs(secs).min(RETRY_AFTER_MAX)),
                body: Limited::new(body, ANSWER_BYTES_MAX).collect().await.ok()?.to_bytes(),
            })
        };
        match timeout(time, answer).await {
            Ok(Some(answer)) => Ok(answer),
            Ok(None) => Err(RemoteError::ConnectionLost),
            Err(_) => Err(RemoteError::TimedOut(time)),
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.task.abort();
    }
}
