//! The TLS side of the HTTPS port: certificate, key and session tickets.

use super::error::TlsError;
use crate::{settings::ServiceConfig, telemetry::metrics::Metrics};
use axum_server::tls_rustls::RustlsConfig;
use rustls::{
    ServerConfig,
    crypto::aws_lc_rs::Ticketer,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::ProducesTickets,
};
use std::{
    path::Path,
    sync::{Arc, atomic::Ordering::Relaxed},
};

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
    /// End of the certificate's validity in seconds since 1970, if it has one.
    expiry_secs: Option<u64>,
}

impl Tls {
    /// Reads certificate and key.
    pub fn new(service: &ServiceConfig, metrics: Arc<Metrics>) -> Result<Self, TlsError> {
        let ticketer = Ticketer::new().map_err(TlsError::Tickets)?;
        let PreparedTls { config, expiry_secs } = prepare(service, Arc::clone(&ticketer))?;
        let tls = Self { current: RustlsConfig::from_config(Arc::new(config)), ticketer, metrics };
        tls.record_expiry(expiry_secs);
        Ok(tls)
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
        self.record_expiry(next.expiry_secs);
    }

    fn record_expiry(&self, secs: Option<u64>) {
        self.metrics.certificate_expiry_secs.store(secs.unwrap_or(0), Relaxed);
    }
}

/// Builds parameters for TLS 1.2 and 1.3 with HTTP/2, HTTP/1.1 and session tickets.
fn prepare(service: &ServiceConfig, ticketer: Arc<dyn ProducesTickets>) -> Result<PreparedTls, TlsError> {
    let chain = read_certificates(&service.tls_cert)?;
    let key = read_private_key(&service.tls_key)?;
    let expiry_secs = chain.first().and_then(expiry_secs);
    let mut config =
        ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key).map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => {
                TlsError::KeyMismatch { certificate: service.tls_cert.clone(), key: service.tls_key.clone() }
            }
            source => TlsError::Unusable { path: service.tls_cert.clone(), source },
        })?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config.ticketer = ticketer;
    Ok(PreparedTls { config, expiry_secs })
}

/// Returns the end of a certificate's validity (`notAfter`, RFC 5280 §4.1.2.5) in seconds since 1970.
fn expiry_secs(certificate: &CertificateDer<'_>) -> Option<u64> {
    let (_, certificate) = x509_parser::parse_x509_certificate(certificate).ok()?;
    u64::try_from(certificate.validity().not_after.timestamp()).ok()
}

fn read(option: &'static str, path: &Path) -> Result<Vec<u8>, TlsError> {
    std::fs::read(path).map_err(|source| TlsError::Read { option, path: path.to_owned(), source })
}

fn read_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let pem = read("TLS_CERT", path)?;
    let chain = CertificateDer::pem_slice_iter(&pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|source| TlsError::CertificateSyntax { path: path.to_owned(), source })?;
    if chain.is_empty() { Err(TlsError::NoCertificate(path.to_owned())) } else { Ok(chain) }
}

fn read_private_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    let pem = zeroize::Zeroizing::new(read("TLS_KEY", path)?);
    PrivateKeyDer::from_pem_slice(&pem).map_err(|_| TlsError::NoKey(path.to_owned()))
}
