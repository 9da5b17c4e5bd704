//! Settings: `setup.config` and the environment, read as texts and then checked.
//!
//! [`load`] returns either settings in which every value is ready to use, or all problems at once.

mod check;
#[cfg(test)]
mod documentation;
mod effective;
mod environment;
mod error;
mod ini;
mod layers;
mod log_filter;
pub mod options;
mod problem;
#[cfg(test)]
mod python_comparison;
mod raw_option;
mod redis_config;
mod secrets;
mod section_reader;
mod summary;
#[cfg(test)]
mod tests;
mod watched_files;

pub use effective::{EffectiveSettings, OptionChange};
pub use problem::{SettingsProblem, SettingsProblems};
pub use redis_config::{RedisConfig, RedisTlsConfig, SentinelShardConfig, SentinelsConfig, ShardConfig, Topology};
pub use secrets::{digest_api_key, hash_api_key, new_api_key, new_sealing_key};
pub use watched_files::WatchedFiles;

use crate::types::{Namespace, Scopes, Ttl};
use layers::RawConfig;
use secrecy::{SecretBox, SecretString};
use std::{
    ffi::OsString,
    net::IpAddr,
    num::NonZeroU32,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

/// SHA-256 digest of an API key.
pub type ApiKeyHash = [u8; 32];

/// All settings, checked.
#[derive(Debug)]
pub struct Settings {
    /// The service itself.
    pub service: ServiceConfig,
    /// Tokens and clients.
    pub auth: AuthConfig,
    /// Encryption of values.
    pub sealing: SealingConfig,
    /// The near cache.
    pub near_cache: NearCacheConfig,
    /// Traces.
    pub telemetry: TelemetryConfig,
    /// Connections to Redis, shared with all nodes.
    pub redis: Arc<RedisConfig>,
    /// The source of shards and nodes.
    pub topology: Topology,
    /// Time to live of a value whose WRITE does not choose one.
    pub default_ttl: Ttl,
    /// Remarks for the operator that prevent nothing; they are logged once at start.
    pub warnings: Vec<String>,
    /// The files that were read.
    pub files: WatchedFiles,
    /// The effective values, for comparison with later settings.
    pub effective: EffectiveSettings,
}

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

/// Tokens and clients.
#[derive(Debug)]
pub struct AuthConfig {
    /// The secret that signs tokens.
    ///
    /// Invariant: at least 32 bytes.
    pub jwt_secret: SecretString,
    /// Validity of a token.
    pub token_life: Duration,
    /// Clients that may log in.
    pub clients: Vec<ClientConfig>,
}

/// A client that may log in.
#[derive(Debug)]
pub struct ClientConfig {
    /// Subject of this client's tokens.
    pub id: String,
    /// The caller may choose any `client_id`. This is true only for the shared secret.
    pub any_client_id: bool,
    /// Hashes of the client's API keys.
    pub api_key_hashes: Vec<ApiKeyHash>,
    /// Operations that the client may use.
    pub scopes: Scopes,
    /// Namespace of the client's keys.
    pub namespace: Option<Namespace>,
    /// Maximum number of commands per second on this instance.
    pub commands_per_second: Option<NonZeroU32>,
}

/// Encryption of values.
#[derive(Debug)]
pub struct SealingConfig {
    /// The first key seals, and all keys open. The list is empty where sealing is not configured.
    pub keys: Vec<SecretBox<[u8; 32]>>,
    /// Every value is sealed, not only those whose WRITE asks for it.
    pub always: bool,
}

/// Values that this process caches itself.
#[derive(Debug)]
pub struct NearCacheConfig {
    /// The near cache is on.
    pub enabled: bool,
    /// Memory for all cached values.
    pub bytes_max: usize,
    /// Maximum age of a cached value, in case an invalidation is lost.
    pub age_max: Duration,
    /// Sealed values are cached in opened form.
    pub keep_opened: bool,
}

/// Traces.
#[derive(Debug)]
pub struct TelemetryConfig {
    /// The receiver of traces; `None` turns traces off.
    pub collector: Option<CollectorConfig>,
    /// Share of traced requests, from 0 to 1, where the caller does not decide.
    pub sample_ratio: f64,
}

/// The receiver of traces.
#[derive(Debug)]
pub struct CollectorConfig {
    /// `http://host:port` or `https://host:port`.
    pub endpoint: String,
    /// Trusted authorities in PEM; `None` for the public ones.
    pub ca_cert: Option<Vec<u8>>,
    /// Name of this service in traces.
    pub service_name: String,
}

/// Loads the settings of the file at `path`, which the environment of the process overrides.
pub fn load(path: &Path) -> Result<Settings, SettingsProblems> {
    load_from(path, std::env::vars_os())
}

/// Loads the settings of the file at `path` with another environment.
pub fn load_with(
    path: &Path,
    environment: impl IntoIterator<Item = (String, String)>,
) -> Result<Settings, SettingsProblems> {
    load_from(path, environment.into_iter().map(|(name, value)| (name.into(), value.into())))
}

fn load_from(
    path: &Path,
    environment: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<Settings, SettingsProblems> {
    check::check(&RawConfig::load(path, environment), path)
}
