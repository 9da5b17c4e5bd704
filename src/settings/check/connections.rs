//! The connections to Redis: `[redis]` without topology.

use super::{limits::SECS_MAX, service::WORKERS_MAX};
use crate::{
    settings::{
        redis_config::{RedisConfig, RedisTlsConfig},
        section_reader::SectionReader,
    },
    types::{TTL_SECS_MAX, Ttl},
};
use secrecy::{SecretBox, SecretString};

/// Reads the section; each of the `workers` uses at most one connection to each node.
pub fn connections(redis: &SectionReader<'_>, workers: usize) -> RedisConfig {
    redis.refuse_empty("tls", "write true or false");
    let (nodes, sentinels) = (redis.flag("tls"), redis.flag("sentinel_tls"));
    for option in ["ca_cert", "client_cert", "client_key"] {
        if !nodes && !sentinels && redis.text(option).is_some() {
            redis.error(option, "has no effect without tls=true");
        }
    }
    if redis.text("username").is_some() && redis.text("password").is_none() {
        redis.error("password", "is needed by the username");
    }
    RedisConfig {
        username: redis.text("username").map(str::to_owned),
        password: redis.text("password").map(SecretString::from),
        db: redis.number("db", 0..=65_535),
        tls: nodes.then(|| tls(redis)),
        connections_per_node: match redis.size("connections_per_node", 0..=WORKERS_MAX) {
            0 => workers,
            count => count.min(workers),
        },
        connect_timeout: redis.duration("connect_timeout_ms", 1..=60_000),
        attempt_timeout: redis.duration("attempt_timeout_ms", 1..=60_000),
        probe_every: redis.duration("probe_every_ms", 10..=60_000),
        in_flight_max: redis.size("in_flight_max", 1_000..=1_000_000),
        hedge_reads: redis.flag("hedge_reads"),
        master_hold: redis.duration("master_hold_secs", 0..=SECS_MAX),
        replica_stale_max: Some(redis.duration("replica_stale_max_ms", 0..=SECS_MAX * 1000))
            .filter(|max| !max.is_zero()),
    }
}

/// Reads the certificates, which nodes and sentinels share.
pub fn tls(redis: &SectionReader<'_>) -> RedisTlsConfig {
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

/// Reads the time to live of values whose WRITE does not choose one.
pub fn default_ttl(redis: &SectionReader<'_>) -> Ttl {
    let secs = redis.number("key_expire_secs", i64::MIN..=i64::from(u32::MAX));
    Ttl::from_secs(secs).unwrap_or_else(|| {
        redis.error("key_expire_secs", format!("{secs} is more than {TTL_SECS_MAX} (100 years)"));
        Ttl::Never
    })
}
