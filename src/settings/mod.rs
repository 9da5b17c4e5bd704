//! Settings: `setup.config` and the environment, read raw, then made whole.
//!
//! [`load`] either returns settings in which every value is ready to use, or all problems at once.

mod api_keys;
mod check;
#[cfg(test)]
mod document;
mod effective;
mod entry;
mod environment;
mod file;
mod files;
mod layers;
mod log_filter;
pub mod options;
mod problem;
mod read;
mod secrets;
mod summary;

pub use effective::{EffectiveSettings, OptionChange};
pub use files::WatchedFiles;
pub use problem::{SettingsProblem, SettingsProblems};
pub use secrets::{digest_api_key, hash_api_key, new_api_key, new_sealing_key};

use crate::types::{Address, Namespace, Scopes, Ttl};
use secrecy::{SecretBox, SecretString};
use std::{
    ffi::OsString,
    net::IpAddr,
    num::NonZeroU32,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

/// SHA-256 of an API key.
pub type ApiKeyHash = [u8; 32];

/// Everything that can be set, checked.
#[derive(Debug)]
pub struct Settings {
    pub service: ServiceConfig,
    pub auth: AuthConfig,
    pub sealing: SealingConfig,
    pub near_cache: NearCacheConfig,
    pub telemetry: TelemetryConfig,
    /// Shared with whatever makes nodes later on.
    pub redis: Arc<RedisConfig>,
    pub topology: Topology,
    /// How long a value lives when the WRITE does not say.
    pub default_ttl: Ttl,
    /// What the operator should know though it stops nothing; said once at start.
    pub warnings: Vec<String>,
    /// What was read to get here.
    pub files: WatchedFiles,
    pub effective: EffectiveSettings,
}

#[derive(Debug)]
pub struct ServiceConfig {
    pub host: IpAddr,
    /// 0 asks the system for a free port, which tests do.
    pub port: u16,
    pub admin_host: IpAddr,
    pub admin_port: u16,
    pub tls_cert: PathBuf,
    pub tls_key: PathBuf,
    /// How long one request to `/cache` may take once its body is here.
    pub deadline: Duration,
    pub body_bytes_max: usize,
    /// Memory for all bodies together.
    pub bodies_bytes_max: usize,
    pub value_bytes_max: usize,
    /// Requests to `/cache` that are worked on at once.
    pub requests_max: usize,
    /// Threads that serve requests.
    pub workers: usize,
    pub connections_max: usize,
    /// A connection on which nothing moves for so long is closed.
    pub idle_timeout: Duration,
    /// How long to serve on after SIGTERM, until load balancers have taken notice.
    pub drain_wait: Duration,
    /// How long requests in flight may then take to finish.
    pub drain: Duration,
    /// How often the files are looked at for changes; zero for never.
    pub reload_every: Duration,
    pub log_format: LogFormat,
    /// A filter as tracing-subscriber's `EnvFilter` reads it.
    pub log_level: String,
    pub key_patterns: KeyPatterns,
}

/// How the console shows what kinds of keys are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyPatterns {
    /// How they are built, with a hash for each word.
    Hashed,
    Shown,
    Off,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    Human,
    Json,
}

#[derive(Debug)]
pub struct AuthConfig {
    /// Invariant: at least 32 bytes.
    pub jwt_secret: SecretString,
    pub token_life: Duration,
    pub clients: Vec<ClientConfig>,
}

/// Who may log in.
#[derive(Debug)]
pub struct ClientConfig {
    /// Subject of this client's tokens.
    pub id: String,
    /// True for the shared secret: whoever knows it may call itself as it likes.
    pub any_client_id: bool,
    pub api_key_hashes: Vec<ApiKeyHash>,
    pub scopes: Scopes,
    pub namespace: Option<Namespace>,
    pub commands_per_second: Option<NonZeroU32>,
}

#[derive(Debug)]
pub struct SealingConfig {
    /// The first seals, all open. Empty where sealing is not set up.
    pub keys: Vec<SecretBox<[u8; 32]>>,
    /// Seal every value, not only those whose WRITE asks for it.
    pub always: bool,
}

/// Values that this process keeps itself.
#[derive(Debug)]
pub struct NearCacheConfig {
    pub enabled: bool,
    pub bytes_max: usize,
    pub age_max: Duration,
    /// Sealed values may be kept opened.
    pub keep_opened: bool,
}

/// Traces.
#[derive(Debug)]
pub struct TelemetryConfig {
    /// `None`: there are none.
    pub collector: Option<CollectorConfig>,
    /// From 0 to 1: the share of requests that are traced where the caller does not decide.
    pub sample_ratio: f64,
}

/// Who gets them.
#[derive(Debug)]
pub struct CollectorConfig {
    /// `http://host:port` or `https://host:port`.
    pub endpoint: String,
    /// PEM; `None`: the roots that browsers trust.
    pub ca_cert: Option<Vec<u8>>,
    pub service_name: String,
}

#[derive(Debug)]
pub struct RedisConfig {
    pub username: Option<String>,
    pub password: Option<SecretString>,
    pub db: i64,
    pub tls: Option<RedisTlsConfig>,
    pub connections_per_node: usize,
    pub connect_timeout: Duration,
    /// How long one node may take to answer a READ before another is asked.
    pub attempt_timeout: Duration,
    /// How often each node is asked for its role.
    pub probe_every: Duration,
    /// Commands that one node may owe an answer to before further ones are refused.
    pub in_flight_max: usize,
    /// Send a read that takes long to a second node as well.
    pub hedge_reads: bool,
    /// A replica that has been out of touch with its master for longer is not read; `None`: it always is.
    pub replica_stale_max: Option<Duration>,
}

/// PEM texts, read from the files that the settings name.
#[derive(Debug)]
pub struct RedisTlsConfig {
    /// `None`: the roots that browsers trust.
    pub ca_cert: Option<Vec<u8>>,
    /// Certificate and key.
    pub client: Option<(Vec<u8>, SecretBox<Vec<u8>>)>,
}

/// How shards are known.
#[derive(Debug)]
pub enum Topology {
    /// Nodes as they are listed; which one is a shard's master is asked of them.
    ///
    /// Invariant: at least one shard; names are unique.
    Static(Vec<ShardConfig>),
    /// Sentinels say which nodes there are, and decide over failovers.
    Sentinel(SentinelsConfig),
    /// A Redis Cluster: slots take the place of the ring. These nodes are asked which others there are.
    ///
    /// Invariant: at least one node.
    Cluster(Vec<Address>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShardConfig {
    pub name: String,
    pub weight: u32,
    pub master: Address,
    pub replicas: Vec<Address>,
}

/// Sentinels, and the shards that they watch.
#[derive(Debug)]
pub struct SentinelsConfig {
    /// Invariant: at least one.
    pub addresses: Vec<Address>,
    /// Of the sentinels themselves, which may differ from those of the nodes.
    pub username: Option<String>,
    pub password: Option<SecretString>,
    pub tls: Option<RedisTlsConfig>,
    /// Invariant: at least one; names are unique.
    pub shards: Vec<SentinelShardConfig>,
}

/// A shard whose nodes the sentinels know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentinelShardConfig {
    pub name: String,
    pub weight: u32,
    /// What the sentinels call it.
    pub master_name: String,
}

/// Reads and checks the file at `path`, with the process's environment on top of it.
pub fn load(path: &Path) -> Result<Settings, SettingsProblems> {
    load_from(path, std::env::vars_os())
}

/// As [`load`], with an environment that the caller gives.
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
    let found = layers::collect(path, environment);
    check::check(found, path)
}

#[cfg(test)]
mod python;
#[cfg(test)]
mod tests;
