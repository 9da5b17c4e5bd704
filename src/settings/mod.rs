//! Settings: `setup.config` and the environment, read as texts and then checked.
//!
//! [`load`] returns either settings in which every value is ready to use, or all problems at once.

mod admin_address;
mod all_settings;
mod auth_config;
mod certificates;
mod check;
#[cfg(test)]
mod documentation;
mod effective;
mod environment;
mod error;
mod file_lines;
mod ini;
mod layers;
mod log_filter;
mod near_cache_config;
pub mod options;
mod placeholders;
mod problem;
#[cfg(test)]
mod python_comparison;
mod raw_option;
mod redis_config;
mod sealing_config;
mod secrets;
mod section_reader;
mod service_config;
mod summary;
mod telemetry_config;
#[cfg(test)]
mod tests;
mod text_file;
mod watched_files;

pub use admin_address::load_admin_address;
pub use all_settings::Settings;
pub use auth_config::{ApiKeyHash, AuthConfig, ClientConfig};
pub use certificates::{
    Identity, IdentityFiles, PemFileError, PemProblem, PemSource, Validity, read_authorities, read_identity,
};
pub use effective::{EffectiveSettings, OptionChange};
pub use near_cache_config::NearCacheConfig;
pub use placeholders::is_placeholder;
pub use problem::{SettingsProblem, SettingsProblems};
pub use redis_config::{
    RedisConfig, RedisLoginConfig, RedisTlsConfig, SentinelShardConfig, SentinelsConfig, ShardConfig, Topology,
};
pub use sealing_config::{SealingConfig, SealingRule};
pub use secrets::{API_KEY_PREFIX, digest_api_key, hash_api_key, new_api_key, new_sealing_key};
pub use service_config::{KeyPatterns, LogFormat, ServiceConfig};
pub use telemetry_config::{CollectorConfig, InspectionConfig, TelemetryConfig};
pub use text_file::without_mark;
pub use watched_files::WatchedFiles;

use layers::RawConfig;
use std::{ffi::OsString, path::Path};

/// Loads the settings of the file at `path`, which the environment of the process overrides.
pub fn load(path: &Path) -> Result<Settings, SettingsProblems> {
    load_from(path, std::env::vars_os())
}

/// Loads the settings as [`load`] does, for a server: the mistakes in its own certificate and key are problems, too. Other
/// commands do not need these files.
pub fn load_for_server(path: &Path) -> Result<Settings, SettingsProblems> {
    let settings = load(path).map_err(SettingsProblems::with_certificate_problems)?;
    match read_identity(&settings.service.identity_files()) {
        Ok(_) => Ok(settings),
        Err(errors) => Err(SettingsProblems {
            file: path.display().to_string(),
            problems: errors.into_iter().map(SettingsProblem::of_certificate).collect(),
            tls_files: None,
            files: settings.files,
            lines: Box::new(settings.lines),
        }),
    }
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
