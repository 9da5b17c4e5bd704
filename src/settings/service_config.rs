//! The settings of the service itself.

use super::certificates::{IdentityFiles, PemSource};
use ipnet::IpNet;
use std::{net::IpAddr, time::Duration};

/// The settings of the service itself.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "independent switches of the settings")]
pub struct ServiceConfig {
    /// IP address of the HTTPS port.
    pub host: IpAddr,
    /// The HTTPS port; 0 asks the system for a free one, which tests use.
    pub port: u16,
    /// IP address of the admin port.
    pub admin_host: IpAddr,
    /// The admin port; 0 asks the system for a free one.
    pub admin_port: u16,
    /// Host names under which the admin port may be asked, besides those that are always allowed; `*` for any.
    pub admin_hosts: Vec<String>,
    /// The documentation page and the OpenAPI description are served.
    pub docs: bool,
    /// Browsers are asked to use nothing but HTTPS with this host.
    pub hsts: bool,
    /// The certificate chain.
    pub tls_cert: PemSource,
    /// The private key.
    pub tls_key: PemSource,
    /// Time for one request to `/cache` after its body was received.
    pub deadline: Duration,
    /// Longest request body.
    pub body_bytes_max: usize,
    /// Memory for all request bodies together.
    pub bodies_bytes_max: usize,
    /// Memory for all replies together, until they were sent.
    pub replies_bytes_max: usize,
    /// Longest value, as Redis stores it.
    pub value_bytes_max: usize,
    /// Maximum number of requests to `/cache` in progress.
    pub requests_max: usize,
    /// Threads that serve requests.
    pub workers: usize,
    /// Maximum number of open HTTPS connections.
    pub connections_max: usize,
    /// Maximum number of open HTTPS connections from one address; 0 for half of all.
    pub connections_per_address_max: usize,
    /// Addresses of proxies that are trusted.
    pub trusted_proxies: Vec<IpNet>,
    /// The trusted proxies begin each connection with a header of the PROXY protocol.
    pub proxy_protocol: bool,
    /// Time after which a connection without traffic is closed.
    pub idle_timeout: Duration,
    /// Requests for commands take a short way in front of hyper.
    pub lane: bool,
    /// Maximum age of a connection; `None` for no limit.
    pub connection_age_max: Option<Duration>,
    /// Time between SIGTERM and the end of accepting, for load balancers to notice.
    pub drain_wait: Duration,
    /// Time for requests in flight to finish after that.
    pub drain: Duration,
    /// Interval between two checks of the files for changes; zero for none.
    pub reload_every: Duration,
    /// Form of log messages.
    pub log_format: LogFormat,
    /// A filter in the syntax of tracing-subscriber's `EnvFilter`.
    pub log_level: String,
    /// Form of the key patterns in the console.
    pub key_patterns: KeyPatterns,
}

impl ServiceConfig {
    /// Returns the certificate chain and the key that identify this service to its callers.
    pub fn identity_files(&self) -> IdentityFiles<'_> {
        service_identity(&self.tls_cert, &self.tls_key)
    }
}

/// Returns a chain and a key with the names of their options.
pub fn service_identity<'a>(certificate: &'a PemSource, key: &'a PemSource) -> IdentityFiles<'a> {
    IdentityFiles { section: "service", certificate: ("TLS_CERT", certificate), key: ("TLS_KEY", key) }
}

/// The form in which the console shows the patterns of requested keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyPatterns {
    /// The structure of keys is shown, with a hash for each word.
    Hashed,
    /// Words are shown in clear.
    Shown,
    /// No patterns are collected.
    Off,
}

/// The form of log messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// Lines for people.
    Human,
    /// One JSON object on each line.
    Json,
}
