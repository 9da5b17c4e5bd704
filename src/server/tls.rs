//! The TLS side of the HTTPS port: certificate, key and session tickets.

use super::error::TlsError;
use crate::{
    settings::{Identity, PemFileError, PemProblem, ServiceConfig, Validity, read_identity},
    telemetry::metrics::Metrics,
};
use axum_server::tls_rustls::RustlsConfig;
use rustls::{ServerConfig, crypto::aws_lc_rs::Ticketer, server::ProducesTickets};
use std::sync::Arc;

/// The TLS parameters of new connections, which can be replaced while the service runs. Clones share them.
#[derive(Clone)]
pub struct Tls {
    current: RustlsConfig,
    /// The keys of session tickets outlive a change of certificates, so that clients can resume their sessions.
    ticketer: Arc<dyn ProducesTickets>,
    metrics: Arc<Metrics>,
}

/// TLS parameters that are checked and not in use yet.
pub struct PreparedTls {
    config: ServerConfig,
    /// The validity of the certificate.
    validity: Validity,
    /// Sentences about what callers may refuse.
    pub warnings: Vec<String>,
}

impl Tls {
    /// Reads certificate and key; returns also the sentences about what callers may refuse.
    pub fn new(service: &ServiceConfig, metrics: Arc<Metrics>) -> Result<(Self, Vec<String>), TlsError> {
        let ticketer = Ticketer::new().map_err(TlsError::Tickets)?;
        let PreparedTls { config, validity, warnings } = prepare(service, Arc::clone(&ticketer))?;
        let tls = Self { current: RustlsConfig::from_config(Arc::new(config)), ticketer, metrics };
        tls.metrics.certificates.service.set(Some(validity));
        Ok((tls, warnings))
    }

    /// Returns a handle on the current parameters, for the acceptor.
    pub fn current(&self) -> RustlsConfig {
        self.current.clone()
    }

    /// Reads and checks the certificate and the key of other settings.
    pub fn prepare(&self, service: &ServiceConfig) -> Result<PreparedTls, TlsError> {
        prepare(service, Arc::clone(&self.ticketer))
    }

    /// Uses `next` for new connections; open connections keep their parameters.
    pub fn exchange(&self, next: PreparedTls) {
        self.current.reload_from_config(Arc::new(next.config));
        self.metrics.certificates.service.set(Some(next.validity));
    }
}

/// The protocols that are offered, the best one first. Few clients name HTTP/1.0, but those that name nothing else would get
/// no connection without it.
const ALPN: [&[u8]; 3] = [b"h2", b"http/1.1", b"http/1.0"];

/// Builds parameters for TLS 1.2 and 1.3 with HTTP/2, HTTP/1.1, HTTP/1.0 and session tickets.
fn prepare(service: &ServiceConfig, ticketer: Arc<dyn ProducesTickets>) -> Result<PreparedTls, TlsError> {
    let files = service.identity_files();
    let Identity { chain, key, validity, warnings, .. } = read_identity(&files).map_err(TlsError::Pem)?;
    let mut config = ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key).map_err(|error| {
        let file = service.tls_cert.to_string();
        let problem = PemProblem::Unusable(error);
        TlsError::Pem(vec![PemFileError { section: files.section, option: files.certificate.0, file, problem }])
    })?;
    config.alpn_protocols = ALPN.map(<[u8]>::to_vec).to_vec();
    config.ticketer = ticketer;
    Ok(PreparedTls { config, validity, warnings })
}
