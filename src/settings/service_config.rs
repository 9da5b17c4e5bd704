//! The settings of the service itself.

use std::{net::IpAddr, path::PathBuf, time::Duration};

/// The settings of the service itself.
#[derive(Debug)]
pub struct ServiceConfig {
    /// IP address of the HTTPS port.
    pub host: IpAddr,
    /// The HTTPS port; 0 asks the system for a free one, which tests use.
    pub port: u16,
    /// IP address of the admin port.
    pub admin_host: IpAddr,
    /// The admin port; 0 asks the system for a free one.
    pub admin_port: u16,
    /// Path of the certificate chain in PEM.
    pub tls_cert: PathBuf,
    /// Path of the private key in PEM.
    pub tls_key: PathBuf,
    /// Time for one request to `/cache` after its body was received.
    pub deadline: Duration,
    /// Longest request body.
    pub body_bytes_max: usize,
    /// Memory for all request bodies together.
    pub bodies_bytes_max: usize,
    /// Longest value, as Redis stores it.
    pub value_bytes_max: usize,
    /// Maximum number of requests to `/cache` in progress.
    pub requests_max: usize,
    /// Threads that serve requests.
    pub workers: usize,
    /// Maximum number of open HTTPS connections.
    pub connections_max: usize,
    /// Time after which a connection without traffic is closed.
    pub idle_timeout: Duration,
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
