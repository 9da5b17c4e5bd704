//! Raw texts → [`Settings`], or everything that is wrong with them.

mod clients;
mod sealing;
mod shards;
mod telemetry;
mod topology;

use super::{
    EffectiveSettings, KeyPatterns, LogFormat, NearCacheConfig, RedisConfig, RedisTlsConfig, ServiceConfig, Settings,
    SettingsProblems, WatchedFiles, api_keys, layers::RawConfig, log_filter, options::Section, read::SectionReader,
};
use crate::types::Ttl;
use secrecy::{SecretBox, SecretString};
use std::{cell::RefCell, path::Path, sync::Arc, thread};

/// One day.
const SECS_MAX: i64 = 86_400;
/// Threads, and connections to a node.
const WORKERS_MAX: i64 = 64;
const BYTES_MAX: i64 = 512 * 1024 * 1024;

/// Checks all that was found in the file at `path` and in the environment.
pub fn check(mut found: RawConfig, path: &Path) -> Result<Settings, SettingsProblems> {
    let problems = RefCell::new(std::mem::take(&mut found.problems));
    // A problem with the file as such makes everything seem absent: the rest would be noise.
    if found.sections.is_empty() && !problems.borrow().is_empty() {
        return Err(SettingsProblems {
            file: path.display().to_string(),
            problems: problems.into_inner(),
            tls_files: Vec::new(),
            files: found.files,
        });
    }
    let files = RefCell::new(std::mem::take(&mut found.files));
    let folder = path.parent().unwrap_or(Path::new("."));
    let reader = |kind, title| SectionReader::new(&found, &problems, &files, kind, title, folder);
    let redis = reader(Section::Redis, "redis");
    let service = reader(Section::Service, "service");
    let mut notices = ignored_options(&found);
    refuse_short_deadline(&service, &redis);
    let mut settings = Settings {
        auth: clients::auth(&service, clients::clients(&found, &reader), &mut notices),
        sealing: sealing::sealing(&service),
        near_cache: near_cache(&reader(Section::NearCache, "near_cache")),
        telemetry: telemetry::telemetry(&reader(Section::Telemetry, "telemetry")),
        topology: topology::topology(&found, &redis, &reader),
        default_ttl: default_ttl(&redis),
        redis: Arc::new(redis_settings(&redis, workers(&service))),
        service: service_settings(&service),
        warnings: notices,
        files: WatchedFiles::default(),
        effective: EffectiveSettings::default(),
    };
    let section_of = |client: &str| {
        let titles = titles(&found, Section::Client);
        titles.into_iter().find(|(_, name)| *name == client).map(|(title, _)| reader(Section::Client, title))
    };
    api_keys::refuse_shared(&settings.auth.clients, section_of);
    match problems.into_inner() {
        none if none.is_empty() => {
            settings.files = files.into_inner();
            settings.effective = EffectiveSettings::new(&found, &settings.files);
            Ok(settings)
        }
        problems => {
            let ServiceConfig { tls_cert, tls_key, .. } = settings.service;
            let tls_files = vec![("TLS_CERT", tls_cert), ("TLS_KEY", tls_key)];
            Err(SettingsProblems { file: path.display().to_string(), problems, tls_files, files: files.into_inner() })
        }
    }
}

fn near_cache(near: &SectionReader<'_>) -> NearCacheConfig {
    NearCacheConfig {
        enabled: near.flag("enabled"),
        bytes_max: near.size("bytes_max", 65_536..=1024 * BYTES_MAX),
        age_max: near.duration("age_max_ms", 1..=SECS_MAX * 1000),
        keep_opened: near.flag("keep_opened"),
    }
}

/// As many as the process may use processors at once, unless it is said.
fn workers(service: &SectionReader<'_>) -> usize {
    match service.size("WORKERS", 0..=WORKERS_MAX) {
        0 => thread::available_parallelism().map_or(1, usize::from).min(64),
        count => count,
    }
}

fn service_settings(service: &SectionReader<'_>) -> ServiceConfig {
    let settings = ServiceConfig {
        host: service.ip("HOST"),
        port: service.port("PORT", 0),
        admin_host: service.ip("ADMIN_HOST"),
        admin_port: service.port("ADMIN_PORT", 0),
        tls_cert: service.path("TLS_CERT").unwrap_or_default(),
        tls_key: service.path("TLS_KEY").unwrap_or_default(),
        deadline: service.duration("REQUEST_DEADLINE_MS", 1..=60_000),
        body_bytes_max: service.size("BODY_BYTES_MAX", 1024..=BYTES_MAX),
        value_bytes_max: service.size("VALUE_BYTES_MAX", 1..=BYTES_MAX),
        bodies_bytes_max: service.size("BODIES_BYTES_MAX", 1024..=1024 * BYTES_MAX),
        requests_max: service.size("REQUESTS_MAX", 1..=1_000_000),
        workers: workers(service),
        connections_max: service.size("CONNECTIONS_MAX", 1..=1_000_000),
        idle_timeout: service.duration("IDLE_TIMEOUT_SECS", 1..=SECS_MAX),
        drain_wait: service.duration("DRAIN_WAIT_SECS", 0..=3600),
        drain: service.duration("DRAIN_SECS", 0..=3600),
        reload_every: service.duration("RELOAD_EVERY_SECS", 0..=SECS_MAX),
        log_format: service.choice("LOG_FORMAT", &[("human", LogFormat::Human), ("json", LogFormat::Json)]),
        log_level: log_filter::parse(service.text("LOG_LEVEL").unwrap_or_default()).unwrap_or_else(|message| {
            service.error("LOG_LEVEL", message);
            String::new()
        }),
        key_patterns: service.choice(
            "CONSOLE_KEY_PATTERNS",
            &[("hashed", KeyPatterns::Hashed), ("shown", KeyPatterns::Shown), ("off", KeyPatterns::Off)],
        ),
    };
    if settings.bodies_bytes_max < settings.body_bytes_max {
        service.error("BODIES_BYTES_MAX", "is less than BODY_BYTES_MAX, so the largest body would never fit");
    }
    if settings.port != 0 && settings.port == settings.admin_port {
        service.error("ADMIN_PORT", format!("{} is the port of the service itself; choose another", settings.port));
    }
    settings
}

/// A node that hangs takes a whole attempt; only what is left then can go to the next one.
fn refuse_short_deadline(service: &SectionReader<'_>, redis: &SectionReader<'_>) {
    // What is no number is refused where it is read.
    let number =
        |reader: &SectionReader<'_>, option: &str| reader.text(option)?.parse::<u32>().ok().filter(|ms| *ms > 0);
    if let (Some(deadline), Some(attempt)) =
        (number(service, "REQUEST_DEADLINE_MS"), number(redis, "attempt_timeout_ms"))
        && deadline <= attempt
    {
        service.error(
            "REQUEST_DEADLINE_MS",
            format!("{deadline} is not more than attempt_timeout_ms ({attempt}): when a node hangs, no time would be left to ask another"),
        );
    }
}

fn redis_settings(redis: &SectionReader<'_>, workers: usize) -> RedisConfig {
    redis.refuse_empty("tls", "write true or false");
    let (nodes, sentinels) = (redis.flag("tls"), redis.flag("sentinel_tls"));
    for option in ["ca_cert", "client_cert", "client_key"] {
        if !nodes && !sentinels && redis.text(option).is_some() {
            redis.error(option, "has no effect without tls=true");
        }
    }
    let tls = nodes.then(|| tls(redis));
    if redis.text("username").is_some() && redis.text("password").is_none() {
        redis.error("password", "is needed by the username");
    }
    RedisConfig {
        username: redis.text("username").map(str::to_owned),
        password: redis.text("password").map(SecretString::from),
        db: redis.number("db", 0..=65_535),
        tls,
        connections_per_node: match redis.size("connections_per_node", 0..=WORKERS_MAX) {
            0 => workers,
            // Each of them uses one.
            count => count.min(workers),
        },
        connect_timeout: redis.duration("connect_timeout_ms", 1..=60_000),
        attempt_timeout: redis.duration("attempt_timeout_ms", 1..=60_000),
        probe_every: redis.duration("probe_every_ms", 10..=60_000),
        in_flight_max: redis.size("in_flight_max", 1_000..=1_000_000),
        hedge_reads: redis.flag("hedge_reads"),
        replica_stale_max: Some(redis.duration("replica_stale_max_ms", 0..=SECS_MAX * 1000))
            .filter(|max| !max.is_zero()),
    }
}

fn tls(redis: &SectionReader<'_>) -> RedisTlsConfig {
    RedisTlsConfig { ca_cert: redis.file("ca_cert"), client: client_certificate(redis) }
}

fn client_certificate(redis: &SectionReader<'_>) -> Option<(Vec<u8>, SecretBox<Vec<u8>>)> {
    match (redis.text("client_cert").is_some(), redis.text("client_key").is_some()) {
        (true, false) => redis.error("client_key", "is needed by client_cert"),
        (false, true) => redis.error("client_cert", "is needed by client_key"),
        _ => {}
    }
    Some((redis.file("client_cert")?, SecretBox::new(Box::new(redis.file("client_key")?))))
}

fn default_ttl(redis: &SectionReader<'_>) -> Ttl {
    let secs = redis.number("key_expire_secs", i64::MIN..=i64::from(u32::MAX));
    Ttl::from_secs(secs).unwrap_or_else(|| {
        redis.error("key_expire_secs", format!("{secs} is more than {} (100 years)", crate::types::TTL_SECS_MAX));
        Ttl::Never
    })
}

fn ignored_options(found: &RawConfig) -> Vec<String> {
    let ignored = super::options::OPTIONS.iter().filter(|option| option.ignored);
    ignored
        .filter(|option| {
            found
                .sections
                .get(option.section.title())
                .is_some_and(|section| section.contains_key(&option.name.to_ascii_lowercase()))
        })
        .map(|option| format!("[{}] {} has no effect here and can be removed", option.section.title(), option.name))
        .collect()
}

/// Titles of a kind of section, with the name in each.
fn titles(found: &RawConfig, kind: Section) -> Vec<(&str, &str)> {
    let prefix = kind.prefix().unwrap_or_default();
    found.sections.keys().filter_map(|title| Some((title.as_str(), title.strip_prefix(prefix)?))).collect()
}

fn check_name(section: &SectionReader<'_>, name: &str, option: &str) {
    let valid = name.len() <= 64 && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
    if !valid {
        section.error(option, format!("\"{name}\" is not a name: up to 64 letters, digits, \".\", \"_\" or \"-\""));
    }
}
