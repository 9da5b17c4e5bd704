//! Failures that keep the server from being built, from running, or from taking changed settings.

use crate::{settings::SettingsProblems, store::RedisCertificateError};
use std::{
    io,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
};

/// The reason why a server cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Certificate or key cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The store cannot be built.
    #[error(transparent)]
    Store(#[from] RedisCertificateError),
}

/// The reason why changed settings are not used.
#[derive(Debug, thiserror::Error)]
pub enum ReloadError {
    /// The settings are invalid.
    #[error(transparent)]
    Settings(#[from] SettingsProblems),
    /// The settings file may be half written.
    #[error("the settings file does not end in a newline and may be half written: end its last line")]
    IncompleteFile,
    /// The files changed each time that they were read.
    #[error("the files do not stop changing")]
    Unsettled,
    /// Certificate or key cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The store does not accept the topology.
    #[error(transparent)]
    Store(#[from] RedisCertificateError),
}

/// The reason why a port cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Another process listens on the port.
    #[error("port {port} is taken: stop what listens there, or choose another port ({option})")]
    PortTaken {
        /// The port.
        port: u16,
        /// The option that chooses the port.
        option: &'static str,
    },
    /// The process may not listen on a port below 1024.
    #[error("port {port} needs privileges that this process does not have: choose one above 1023 ({option})")]
    PortPrivileged {
        /// The port.
        port: u16,
        /// The option that chooses the port.
        option: &'static str,
    },
    /// No network interface has the address.
    #[error("{0} is not an address of this machine")]
    ForeignAddress(IpAddr),
    /// The operating system refuses for another reason.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address to listen on.
        address: SocketAddr,
        /// The answer of the operating system.
        source: io::Error,
    },
    /// The listener cannot be shared by all workers.
    #[error("cannot listen on {address} {workers} times")]
    Share {
        /// The address to listen on.
        address: SocketAddr,
        /// The number of workers.
        workers: usize,
        /// The answer of the operating system.
        source: io::Error,
    },
}

/// The reason why the TLS side of the HTTPS port cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The keys of session tickets cannot be made.
    #[error("no keys for TLS session tickets can be made")]
    Tickets(#[source] rustls::Error),
    /// A file cannot be read.
    #[error("[service] {option}: {}: cannot be read", path.display())]
    Read {
        /// The option that names the file.
        option: &'static str,
        /// Path of the file.
        path: PathBuf,
        /// The answer of the operating system.
        source: io::Error,
    },
    /// The certificate file is not PEM.
    #[error("[service] TLS_CERT: {}: is not PEM", path.display())]
    CertificateSyntax {
        /// Path of the file.
        path: PathBuf,
        /// The complaint of the parser.
        source: rustls::pki_types::pem::Error,
    },
    /// The certificate file has no certificate.
    #[error("[service] TLS_CERT: {}: holds no certificate in PEM form", .0.display())]
    NoCertificate(PathBuf),
    /// The key file has no private key. The complaint of the parser is not kept: it could quote the key.
    #[error("[service] TLS_KEY: {}: holds no private key in PEM form (PKCS#8, PKCS#1 or SEC1, not encrypted)", .0.display())]
    NoKey(PathBuf),
    /// Certificate and key do not belong together.
    #[error("[service] TLS_KEY: {} is not the key of the certificate in {}", key.display(), certificate.display())]
    KeyMismatch {
        /// Path of the certificate file.
        certificate: PathBuf,
        /// Path of the key file.
        key: PathBuf,
    },
    /// The certificate cannot be used by a server.
    #[error("[service] TLS_CERT: {} cannot be used", path.display())]
    Unusable {
        /// Path of the certificate file.
        path: PathBuf,
        /// The complaint of the TLS library.
        source: rustls::Error,
    },
}
