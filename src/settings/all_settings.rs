//! All settings together.

use super::{
    auth_config::AuthConfig,
    certificates::Validity,
    effective::EffectiveSettings,
    file_lines::FileLines,
    near_cache_config::NearCacheConfig,
    redis_config::{RedisConfig, RedisLoginConfig, Topology},
    sealing_config::SealingConfig,
    service_config::ServiceConfig,
    telemetry_config::TelemetryConfig,
    watched_files::WatchedFiles,
};
use crate::types::Ttl;
use std::sync::Arc;

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
    /// Login and certificates for the nodes.
    pub redis_login: RedisLoginConfig,
    /// The source of shards and nodes.
    pub topology: Topology,
    /// Time to live of a value whose WRITE does not choose one.
    pub default_ttl: Ttl,
    /// Remarks for the operator that prevent nothing; they are logged once at start.
    pub warnings: Vec<String>,
    /// The files that were read.
    pub files: WatchedFiles,
    /// The lines of sections and options in the settings file.
    pub lines: FileLines,
    /// The settings file ends its last line. Another file may be half written, so a reload refuses it.
    pub file_ends_its_last_line: bool,
    /// The effective values, for comparison with later settings.
    pub effective: EffectiveSettings,
}

impl Settings {
    /// Returns the validity of the certificate that identifies this service to Redis.
    pub fn redis_client_validity(&self) -> Option<Validity> {
        let nodes = self.redis_login.tls.as_ref();
        let sentinels = match &self.topology {
            Topology::Sentinel(sentinels) => sentinels.login.tls.as_ref(),
            _ => None,
        };
        nodes.or(sentinels)?.client_validity
    }
}
