//! Failures that keep the server from being built, from running, or from taking changed settings.

use crate::{
    settings::{PemFileError, SettingsProblems},
    store::RedisCertificateError,
};
use std::{
    io,
    net::{IpAddr, SocketAddr},
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
    /// Values are sealed with a key whose file is gone.
    #[error("the file that ENCRYPTION_KEY names does not exist any more")]
    SealingKeyMissing,
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
    /// Certificate or key have these mistakes.
    #[error("{}", sentences(.0))]
    Pem(Vec<PemFileError>),
}

/// Returns the messages of all errors in one line.
fn sentences(errors: &[PemFileError]) -> String {
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}
