//! Raw texts → [`Settings`], or all problems with them.

mod api_keys;
mod clients;
mod connections;
mod hosts;
mod limits;
mod proxies;
mod sealing;
mod service;
mod shards;
mod telemetry;
mod topology;

use super::{
    all_settings::Settings,
    effective::EffectiveSettings,
    file_lines::FileLines,
    layers::RawConfig,
    near_cache_config::NearCacheConfig,
    options::{OPTIONS, Section},
    problem::SettingsProblems,
    redis_config::{RedisLoginConfig, Topology},
    section_reader::{SectionReader, SettingsReader},
    service_config::ServiceConfig,
    watched_files::WatchedFiles,
};
use limits::{BYTES_MAX, SECS_MAX};
use std::{path::Path, sync::Arc};

/// Checks the settings of the file at `path` and of the environment.
pub fn check(raw: &RawConfig, path: &Path) -> Result<Settings, SettingsProblems> {
    let file = path.display().to_string();
    // A file that cannot be read makes all options seem absent; further problems would be noise.
    let unreadable = raw.problems.iter().find(|problem| problem.is_of_whole_file());
    if unreadable.is_some() || raw.is_empty() && !raw.problems.is_empty() {
        let problems = unreadable.map_or_else(|| raw.problems.clone(), |problem| vec![problem.clone()]);
        let files = raw.files.clone();
        return Err(SettingsProblems { file, problems, tls_files: None, files, lines: Box::new(raw.lines.clone()) });
    }
    let reader = SettingsReader::new(raw, path.parent().unwrap_or(Path::new(".")));
    let warnings = [ignored_options(raw), quoted_secrets(raw)].concat();
    let mut settings = read(&reader, warnings);
    if raw.file_ends_its_last_line {
        settings.file_ends_its_last_line = true;
    } else {
        settings
            .warnings
            .push(format!("{file} does not end in a newline: a reload refuses it, because it may be half written"));
    }
    let (problems, files) = reader.finish();
    if problems.is_empty() {
        settings.effective = EffectiveSettings::new(raw, &files);
        settings.files = files;
        settings.lines = raw.lines.clone();
        Ok(settings)
    } else {
        let ServiceConfig { tls_cert, tls_key, .. } = settings.service;
        let tls_files = Some(Box::new((tls_cert, tls_key)));
        Err(SettingsProblems { file, problems, tls_files, files, lines: Box::new(raw.lines.clone()) })
    }
}

/// Reads all options. Where there are problems, the settings have replacements and must not be used.
fn read(reader: &SettingsReader<'_>, mut warnings: Vec<String>) -> Settings {
    let redis = reader.section(Section::Redis);
    let service = reader.section(Section::Service);
    service::refuse_short_deadline(&service, &redis);
    let auth = clients::auth(&service, clients::clients(reader), &mut warnings);
    api_keys::refuse_shared(&auth.clients, reader);
    let topology = topology::topology(reader, &redis);
    let redis_login = connections::node_login(&redis);
    warnings.extend(redis_warnings(&redis_login, &topology));
    Settings {
        auth,
        sealing: sealing::sealing(&service, &mut warnings),
        near_cache: near_cache(&reader.section(Section::NearCache)),
        telemetry: telemetry::telemetry(&reader.section(Section::Telemetry), &mut warnings),
        topology,
        default_ttl: connections::default_ttl(&redis),
        redis: Arc::new(connections::connections(&redis, service::workers(&service))),
        redis_login,
        service: service::service(&service),
        warnings,
        files: WatchedFiles::default(),
        lines: FileLines::default(),
        file_ends_its_last_line: false,
        effective: EffectiveSettings::default(),
    }
}

/// Returns the warnings about the certificates for Redis, which nodes and sentinels share.
fn redis_warnings(nodes: &RedisLoginConfig, topology: &Topology) -> Vec<String> {
    let sentinels = match topology {
        Topology::Sentinel(sentinels) => sentinels.login.tls.as_ref(),
        _ => None,
    };
    nodes.tls.as_ref().or(sentinels).map(|tls| tls.warnings.clone()).unwrap_or_default()
}

fn near_cache(near_cache: &SectionReader<'_>) -> NearCacheConfig {
    NearCacheConfig {
        enabled: near_cache.flag("enabled"),
        bytes_max: near_cache.size("bytes_max", 65_536..=1024 * BYTES_MAX),
        age_max: near_cache.duration("age_max_ms", 1..=SECS_MAX * 1000),
        keep_opened: near_cache.flag("keep_opened"),
    }
}

/// Returns a warning for each option that is set and has no effect.
fn ignored_options(raw: &RawConfig) -> Vec<String> {
    OPTIONS
        .iter()
        .filter(|option| option.ignored && raw.text(option.section.title(), option.name).is_some())
        .map(|option| format!("[{}] {} has no effect here and can be removed", option.section.title(), option.name))
        .collect()
}

/// Returns a warning for each secret in quotes, which somebody may take for no part of it.
fn quoted_secrets(raw: &RawConfig) -> Vec<String> {
    OPTIONS
        .iter()
        .filter(|option| option.secret && raw.text(option.section.title(), option.name).is_some_and(is_quoted))
        .map(|option| {
            let (title, name) = (option.section.title(), option.name);
            format!("[{title}] {name} begins and ends with a quote, and both are a part of it: remove them unless they are meant")
        })
        .collect()
}

fn is_quoted(text: &str) -> bool {
    ['"', '\''].iter().any(|quote| text.len() > 1 && text.starts_with(*quote) && text.ends_with(*quote))
}
