//! One request to the admin port.

use crate::{admin::console::ConsoleSnapshot, cli::failure::Failure, types::without_userinfo};
use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::{Request, StatusCode, Uri, client::conn::http1::handshake, header::HOST};
use hyper_util::rt::TokioIo;
use std::{error::Error, io};
use thiserror::Error;
use tokio::net::TcpStream;

/// Longest answer that is read.
const SNAPSHOT_BYTES_MAX: usize = 16 << 20;

/// The URL of an admin port.
pub struct AdminUrl {
    /// The URL as it was given.
    pub text: String,
    host: String,
    port: u16,
    authority: String,
    path: String,
}

/// The reason why there is no state to show.
#[derive(Debug, Error)]
pub enum StatusError {
    /// The port does not accept a connection.
    #[error(transparent)]
    Connect(#[from] io::Error),
    /// The connection broke, or its peer does not speak HTTP.
    #[error(transparent)]
    Http(#[from] hyper::Error),
    /// The path of the URL cannot be requested.
    #[error(transparent)]
    InvalidRequest(#[from] hyper::http::Error),
    /// The service answered with another status than 200.
    #[error("{path} has status {}", status.as_u16())]
    Status {
        /// The requested path.
        path: String,
        /// The status of the answer.
        status: StatusCode,
    },
    /// The body broke off, or is too large.
    #[error(transparent)]
    Body(Box<dyn Error + Send + Sync>),
    /// The body is not the state of an instance.
    #[error("the answer is not the state of a Cachefront instance")]
    Syntax(#[from] serde_json::Error),
    /// The answer did not arrive in time.
    #[error("the answer took too long")]
    TimedOut,
}

impl AdminUrl {
    /// Parses a URL such as `http://127.0.0.1:9091`.
    pub fn parse(text: &str) -> Result<Self, Failure> {
        let uri: Uri = text.parse().map_err(|error| invalid(text, error))?;
        if uri.scheme_str() != Some("http") {
            return Err(invalid(text, "it does not begin with http://"));
        }
        let authority = uri.authority().ok_or_else(|| invalid(text, "it names no host"))?;
        if authority.as_str().contains('@') {
            return Err(invalid(text, "it has a name or a password, which the admin port does not ask for"));
        }
        Ok(Self {
            text: text.to_owned(),
            host: authority.host().trim_start_matches('[').trim_end_matches(']').to_owned(),
            port: authority.port_u16().unwrap_or(80),
            authority: authority.as_str().to_owned(),
            path: format!("{}/console/facts", uri.path().trim_end_matches('/')),
        })
    }
}

fn invalid(url: &str, reason: impl std::fmt::Display) -> Failure {
    Failure::usage(format!("{} is not the URL of an admin port: {reason}", without_userinfo(url)))
}

/// Requests the state of the instance.
pub async fn snapshot(url: &AdminUrl) -> Result<ConsoleSnapshot, StatusError> {
    Ok(serde_json::from_slice(&request(url).await?)?)
}

/// Requests the state of the instance; returns the JSON text.
pub async fn request(url: &AdminUrl) -> Result<Bytes, StatusError> {
    let stream = TcpStream::connect((url.host.as_str(), url.port)).await?;
    let (mut sender, connection) = handshake(TokioIo::new(stream)).await?;
    let task = tokio::spawn(async move { drop(connection.await) });
    let received = async {
        let request = Request::get(&url.path).header(HOST, &url.authority).body(Empty::<Bytes>::new())?;
        let response = sender.send_request(request).await?;
        if response.status() != StatusCode::OK {
            return Err(StatusError::Status { path: url.path.clone(), status: response.status() });
        }
        let body = Limited::new(response.into_body(), SNAPSHOT_BYTES_MAX).collect().await;
        Ok(body.map_err(StatusError::Body)?.to_bytes())
    };
    let received = received.await;
    task.abort();
    received
}
