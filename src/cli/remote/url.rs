//! The URL of a service, from which connections and requests are made.

use super::{
    connection::Connection,
    error::{RemoteError, ServiceConnectError},
    trust::{self, TrustArgs},
};
use crate::{cli::failure::Failure, types::without_userinfo};
use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    Request, Uri,
    header::{AUTHORIZATION, CONTENT_TYPE, HOST},
};
use rustls::pki_types::ServerName;
use std::{fmt::Display, net::IpAddr, sync::Arc, time::Duration};
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::TlsConnector;

const HTTP_PORT: u16 = 80;
const HTTPS_PORT: u16 = 443;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The URL of the service, with the parameters of TLS.
#[derive(Clone)]
pub struct ServiceUrl {
    /// The scheme and the authority, with the path before `/login` and `/cache`.
    text: String,
    host: String,
    port: u16,
    /// Path before `/login` and `/cache`.
    path: String,
    authority: String,
    /// The name in the certificate and the parameters of TLS; `None` for plain HTTP on this machine.
    tls: Option<(ServerName<'static>, TlsConnector)>,
}

impl ServiceUrl {
    /// Parses the URL and reads the trusted certificates.
    pub fn new(url: &str, trust: &TrustArgs) -> Result<Self, Failure> {
        let uri: Uri = url.parse().map_err(|error| invalid(url, error))?;
        let authority = uri.authority().ok_or_else(|| invalid(url, "it names no host"))?;
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        let is_tls = uri.scheme_str() == Some("https");
        let is_plain = uri.scheme_str() == Some("http") && is_loopback(&host);
        if !(is_tls || is_plain) {
            return Err(invalid(url, "it does not begin with https://, and a token must not be sent in clear"));
        }
        if authority.as_str().contains('@') {
            return Err(invalid(url, "it has a name or a password; put the API key into a file or the environment"));
        }
        if uri.query().is_some() {
            return Err(invalid(url, "it has a query"));
        }
        let path = uri.path().trim_end_matches('/').to_owned();
        let tls = if is_tls {
            let name = ServerName::try_from(host.clone()).map_err(|error| invalid(url, error))?;
            Some((name, TlsConnector::from(Arc::new(trust::client(trust)?))))
        } else {
            None
        };
        Ok(Self {
            text: format!("{}://{authority}{path}", if is_tls { "https" } else { "http" }),
            port: authority.port_u16().unwrap_or(if is_tls { HTTPS_PORT } else { HTTP_PORT }),
            path,
            authority: authority.as_str().to_owned(),
            tls,
            host,
        })
    }

    /// Returns the URL without a slash at its end.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Opens a connection.
    pub async fn connect(&self) -> Result<Connection, RemoteError> {
        let connected = timeout(CONNECT_TIMEOUT, self.open()).await.unwrap_or(Err(ServiceConnectError::TimedOut));
        connected.map_err(|source| RemoteError::Connect { url: self.text.clone(), source })
    }

    async fn open(&self) -> Result<Connection, ServiceConnectError> {
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await?;
        stream.set_nodelay(true)?;
        match &self.tls {
            None => Connection::over(stream).await,
            Some((name, tls)) => {
                let stream = tls.connect(name.clone(), stream).await.map_err(ServiceConnectError::handshake)?;
                Connection::over(stream).await
            }
        }
    }

    /// Builds a request with a JSON body; `path` is `/login` or `/cache`.
    pub fn request(&self, path: &str, token: Option<&str>, body: Bytes) -> Result<Request<Full<Bytes>>, RemoteError> {
        let mut request = Request::post(format!("{}{path}", self.path))
            .header(HOST, &self.authority)
            .header(CONTENT_TYPE, "application/json");
        if let Some(token) = token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        Ok(request.body(Full::new(body))?)
    }
}

/// Returns true for the host of this machine, to which requests travel over no network.
fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn invalid(url: &str, reason: impl Display) -> Failure {
    Failure::usage(format!("{} is not the URL of a service: {reason}", without_userinfo(url)))
}
