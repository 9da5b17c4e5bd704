//! The settings of the service itself: `[service]` without clients and sealing.

use super::{
    hosts,
    limits::{BYTES_MAX, SECS_MAX},
    proxies,
};
use crate::settings::{
    log_filter,
    section_reader::SectionReader,
    service_config::{KeyPatterns, LogFormat, ServiceConfig},
};
use std::thread;

/// Maximum number of workers.
pub const WORKERS_MAX: i64 = 64;

/// Bytes that JSON takes at most for one byte of a value: a control character is `\u0000`.
const JSON_BYTES_PER_BYTE: usize = 6;
/// Smallest limit on bodies, which every command without a large value fits into.
const BODY_BYTES_MIN: usize = 1024;
/// Bytes of a command besides its value, with some room for fields that are ignored.
const COMMAND_BYTES_MAX: usize = 64 * 1024;

/// Returns the number of workers; by default, one for each processor that the process may use.
pub fn workers(service: &SectionReader<'_>) -> usize {
    match service.size("WORKERS", 0..=WORKERS_MAX) {
        0 => thread::available_parallelism().map_or(1, usize::from).min(64),
        count => count,
    }
}

/// Returns the size of the longest body; by default, one that a value of any size and form fits into.
fn body_bytes_max(service: &SectionReader<'_>) -> usize {
    match service.size("BODY_BYTES_MAX", 0..=BYTES_MAX) {
        0 => {
            let value = service.size("VALUE_BYTES_MAX", 1..=BYTES_MAX);
            let bodies = service.size("BODIES_BYTES_MAX", 1024..=1024 * BYTES_MAX);
            (JSON_BYTES_PER_BYTE * value + COMMAND_BYTES_MAX).min(bodies)
        }
        bytes => {
            if bytes < BODY_BYTES_MIN {
                service.error("BODY_BYTES_MAX", format!("{bytes} is neither 0 nor at least {BODY_BYTES_MIN}"));
            }
            bytes
        }
    }
}

/// Reads the section.
pub fn service(service: &SectionReader<'_>) -> ServiceConfig {
    let config = ServiceConfig {
        host: service.ip("HOST"),
        port: service.port("PORT", 0),
        admin_host: service.ip("ADMIN_HOST"),
        admin_port: service.port("ADMIN_PORT", 0),
        admin_hosts: hosts::listed(service),
        docs: service.flag("DOCS"),
        hsts: service.flag("HSTS"),
        tls_cert: service.pem_source("TLS_CERT").unwrap_or_default(),
        tls_key: service.pem_source("TLS_KEY").unwrap_or_default(),
        deadline: service.duration("REQUEST_DEADLINE_MS", 1..=60_000),
        body_bytes_max: body_bytes_max(service),
        value_bytes_max: service.size("VALUE_BYTES_MAX", 1..=BYTES_MAX),
        bodies_bytes_max: service.size("BODIES_BYTES_MAX", 1024..=1024 * BYTES_MAX),
        replies_bytes_max: service.size("REPLIES_BYTES_MAX", 1024 * 1024..=1024 * BYTES_MAX),
        requests_max: service.size("REQUESTS_MAX", 1..=1_000_000),
        workers: workers(service),
        connections_max: service.size("CONNECTIONS_MAX", 1..=1_000_000),
        connections_per_address_max: service.size("CONNECTIONS_PER_ADDRESS_MAX", 0..=1_000_000),
        trusted_proxies: proxies::trusted(service),
        proxy_protocol: service.flag("PROXY_PROTOCOL"),
        idle_timeout: service.duration("IDLE_TIMEOUT_SECS", 1..=SECS_MAX),
        lane: service.flag("LANE"),
        connection_age_max: Some(service.duration("CONNECTION_AGE_MAX_SECS", 0..=SECS_MAX))
            .filter(|max| !max.is_zero()),
        drain_wait: service.duration("DRAIN_WAIT_SECS", 0..=3600),
        drain: service.duration("DRAIN_SECS", 0..=3600),
        reload_every: service.duration("RELOAD_EVERY_SECS", 0..=SECS_MAX),
        log_format: service.choice("LOG_FORMAT", &[("human", LogFormat::Human), ("json", LogFormat::Json)]),
        log_level: log_filter::parse(service.text("LOG_LEVEL").unwrap_or_default()).unwrap_or_else(|error| {
            service.error("LOG_LEVEL", error);
            String::new()
        }),
        key_patterns: service.choice(
            "CONSOLE_KEY_PATTERNS",
            &[("hashed", KeyPatterns::Hashed), ("shown", KeyPatterns::Shown), ("off", KeyPatterns::Off)],
        ),
    };
    if config.bodies_bytes_max < config.body_bytes_max {
        service.error("BODIES_BYTES_MAX", "is less than BODY_BYTES_MAX, so the largest body would never fit");
    }
    if config.proxy_protocol && config.trusted_proxies.is_empty() {
        service.error("PROXY_PROTOCOL", "needs TRUSTED_PROXIES: a header is read only from proxies that are listed");
    }
    if config.port != 0 && config.port == config.admin_port {
        service.error("ADMIN_PORT", format!("{} is the port of the service itself; choose another", config.port));
    }
    config
}

/// Records a problem if the deadline is not longer than one attempt: a node that hangs takes a whole attempt, and only
/// the remaining time can be used for the next node.
pub fn refuse_short_deadline(service: &SectionReader<'_>, redis: &SectionReader<'_>) {
    if let (Some(deadline), Some(attempt)) =
        (milliseconds(service, "REQUEST_DEADLINE_MS"), milliseconds(redis, "attempt_timeout_ms"))
        && deadline <= attempt
    {
        service.error(
            "REQUEST_DEADLINE_MS",
            format!("{deadline} is not more than attempt_timeout_ms ({attempt}): when a node hangs, no time would be left to ask another"),
        );
    }
}

/// Returns the number of an option; an invalid number is reported where the option is read.
fn milliseconds(section: &SectionReader<'_>, option: &str) -> Option<u32> {
    section.text(option)?.parse::<u32>().ok().filter(|ms| *ms > 0)
}
