//! Certificate and key → the TLS side of the HTTPS port.

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

/// What connections are made with, exchangeable while the service runs. A clone is a handle on the same.
#[derive(Clone)]
pub struct Tls {
    current: RustlsConfig,
    /// Kept when certificates change, so that clients can go on to resume.
    ticketer: Arc<dyn ProducesTickets>,
    metrics: Arc<Metrics>,
}

/// What connections can be made with.
pub struct PreparedTls {
    config: ServerConfig,
    /// When the certificate ends, in seconds since 1970, if it says so.
    expiry_secs: Option<u64>,
}

impl Tls {
    pub fn new(service: &ServiceConfig, metrics: Arc<Metrics>) -> Result<Self, String> {
        let ticketer = Ticketer::new().map_err(|error| format!("no keys for session tickets: {error}"))?;
        let PreparedTls { config, expiry_secs } = prepare(service, Arc::clone(&ticketer))?;
        let tls = Self { current: RustlsConfig::from_config(Arc::new(config)), ticketer, metrics };
        tls.note_expiry(expiry_secs);
        Ok(tls)
    }

    /// For the acceptor.
    pub fn current(&self) -> RustlsConfig {
        self.current.clone()
    }

    /// What other settings come to, checked.
    pub fn prepare(&self, service: &ServiceConfig) -> Result<PreparedTls, String> {
        prepare(service, Arc::clone(&self.ticketer))
    }

    /// New connections are made with `next`; those that are open go on.
    pub fn exchange(&self, next: PreparedTls) {
        self.current.reload_from_config(Arc::new(next.config));
        self.note_expiry(next.expiry_secs);
    }

    fn note_expiry(&self, secs: Option<u64>) {
        self.metrics.certificate_expiry_secs.store(secs.unwrap_or(0), Relaxed);
    }
}

/// TLS 1.2 and 1.3, HTTP/2 and HTTP/1.1, resumption by tickets. The error is one sentence.
fn prepare(service: &ServiceConfig, ticketer: Arc<dyn ProducesTickets>) -> Result<PreparedTls, String> {
    let chain = certificates(&service.tls_cert)?;
    let key = private_key(&service.tls_key)?;
    let expiry_secs = chain.first().and_then(expiry_secs);
    let mut config =
        ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key).map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => format!(
                "[service] TLS_KEY: {} is not the key of the certificate in {}",
                service.tls_key.display(),
                service.tls_cert.display()
            ),
            other => format!("[service] TLS_CERT: {} cannot be used: {other}", service.tls_cert.display()),
        })?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config.ticketer = ticketer;
    Ok(PreparedTls { config, expiry_secs })
}

/// When a certificate ends (`notAfter`, RFC 5280 §4.1.2.5), in seconds since 1970.
fn expiry_secs(certificate: &CertificateDer<'_>) -> Option<u64> {
    let (_, certificate) = x509_parser::parse_x509_certificate(certificate).ok()?;
    u64::try_from(certificate.validity().not_after.timestamp()).ok()
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let place = |what: String| format!("[service] TLS_CERT: {}: {what}", path.display());
    let pem = std::fs::read(path).map_err(|error| place(format!("cannot be read: {error}")))?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    match chain {
        Ok(chain) if !chain.is_empty() => Ok(chain),
        Ok(_) => Err(place("holds no certificate in PEM form".to_owned())),
        Err(error) => Err(place(format!("is not PEM: {error}"))),
    }
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, String> {
    let place = |what: String| format!("[service] TLS_KEY: {}: {what}", path.display());
    let pem = zeroize::Zeroizing::new(std::fs::read(path).map_err(|error| place(format!("cannot be read: {error}")))?);
    PrivateKeyDer::from_pem_slice(&pem)
        .map_err(|_| place("holds no private key in PEM form (PKCS#8, PKCS#1 or SEC1, not encrypted)".to_owned()))
}
