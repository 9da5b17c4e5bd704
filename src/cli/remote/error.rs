//! Failures of requests to a service.

use rustls::CertificateError;
use std::{io, time::Duration};
use thiserror::Error;

/// The reason why a request has no answer, or not the expected one.
#[derive(Debug, Error)]
pub enum RemoteError {
    /// No connection could be opened.
    #[error("cannot connect to {url}")]
    Connect {
        /// The URL of the service.
        url: String,
        /// The failed step.
        source: ServiceConnectError,
    },
    /// The connection broke before the answer was complete.
    #[error("connection lost")]
    ConnectionLost,
    /// The answer did not arrive in time.
    #[error("no answer in {} s", .0.as_secs())]
    TimedOut(Duration),
    /// The URL or the token cannot be part of a request.
    #[error("the request is invalid")]
    InvalidRequest(#[from] hyper::http::Error),
    /// The login was refused.
    #[error("/login answered {0}")]
    LoginRefused(String),
    /// The answer to the login is not that of Cachefront. The complaint of the parser could quote a token.
    #[error("/login answered without a token: is this Cachefront?")]
    NoToken,
}

/// The reason why no connection could be opened.
#[derive(Debug, Error)]
pub enum ServiceConnectError {
    /// The port does not accept a connection.
    #[error(transparent)]
    Tcp(#[from] io::Error),
    /// The TLS handshake failed.
    #[error(transparent)]
    Tls(io::Error),
    /// No trusted authority issued the certificate of the service.
    #[error(
        "its certificate is not trusted (UnknownIssuer); name the certificate, or that of its authority, with --ca-cert or CACHEFRONT_CA"
    )]
    UnknownIssuer,
    /// The service does not speak HTTP.
    #[error(transparent)]
    Http(#[from] hyper::Error),
    /// The connection was not open in time.
    #[error("it took too long")]
    TimedOut,
}

impl ServiceConnectError {
    /// Returns the reason for a failed TLS handshake.
    pub fn handshake(error: io::Error) -> Self {
        let cause = error.get_ref().and_then(|cause| cause.downcast_ref());
        match cause {
            Some(rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer)) => Self::UnknownIssuer,
            _ => Self::Tls(error),
        }
    }
}
