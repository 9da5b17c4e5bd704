//! The connections to Redis: `[redis]` without topology.

use super::{limits::SECS_MAX, service::WORKERS_MAX};
use crate::{
    settings::{
        certificates::{Identity, IdentityFiles, read_identity},
        placeholders::is_placeholder,
        redis_config::{RedisConfig, RedisLoginConfig, RedisTlsConfig},
        section_reader::SectionReader,
    },
    types::{TTL_SECS_MAX, Ttl},
};
use rustls::pki_types::ServerName;
use secrecy::{SecretBox, SecretString};

/// Reads the section; each of the `workers` uses at most one connection to each node.
pub fn connections(redis: &SectionReader<'_>, workers: usize) -> RedisConfig {
    RedisConfig {
        db: redis.number("db", 0..=65_535),
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

/// Reads the login and the certificates for nodes.
pub fn node_login(redis: &SectionReader<'_>) -> RedisLoginConfig {
    let (nodes, sentinels) = (redis.flag("tls"), redis.flag("sentinel_tls"));
    for option in ["ca_cert", "client_cert", "client_key", "expected_name"] {
        if !nodes && !sentinels && redis.text(option).is_some() {
            redis.error(option, "has no effect without tls=true");
        }
    }
    login(redis, ["username", "password"], nodes)
}

/// Reads a login from the options with these names, and with TLS the certificates, which nodes and sentinels share.
pub fn login(redis: &SectionReader<'_>, [username, password]: [&str; 2], tls: bool) -> RedisLoginConfig {
    if redis.text(username).is_some() && redis.text(password).is_none() {
        redis.error(password, format!("is needed by the {username}"));
    }
    if redis.text(password).is_some_and(is_placeholder) {
        redis.error(password, "is a placeholder: write the password that Redis has, a long random one");
    }
    RedisLoginConfig {
        username: redis.text(username).map(str::to_owned),
        password: redis.text(password).map(SecretString::from),
        tls: tls.then(|| certificates(redis)),
    }
}

fn expected_name(redis: &SectionReader<'_>) -> Option<String> {
    redis.refuse_empty("expected_name");
    let name = redis.text("expected_name")?;
    if ServerName::try_from(name).is_err() {
        redis.error(
            "expected_name",
            format!("{name:?} is neither a host name nor an IP address, as a certificate has it"),
        );
    }
    Some(name.to_owned())
}

/// Reads the certificates, which nodes and sentinels share.
fn certificates(redis: &SectionReader<'_>) -> RedisTlsConfig {
    let mut warnings = Vec::new();
    let ca_cert = redis.authorities("ca_cert", &mut warnings);
    let expected_name = expected_name(redis);
    let mut config = RedisTlsConfig { expected_name, ca_cert, client: None, client_validity: None, warnings };
    if let Some(identity) = client_identity(redis) {
        config.client_validity = Some(identity.validity);
        config.warnings.extend(identity.warnings);
        let key = SecretBox::new(Box::new(identity.key_text.as_bytes().to_vec()));
        config.client = Some((identity.chain_text.as_bytes().to_vec(), key));
    }
    config
}

/// Reads the certificate and the key that identify this service to Redis.
fn client_identity(redis: &SectionReader<'_>) -> Option<Identity> {
    match (redis.text("client_cert").is_some(), redis.text("client_key").is_some()) {
        (true, false) => redis.error("client_key", "is needed by client_cert"),
        (false, true) => redis.error("client_cert", "is needed by client_key"),
        _ => {}
    }
    let (certificate, key) = (redis.pem_source("client_cert"), redis.pem_source("client_key"));
    let (certificate, key) = (certificate?, key?);
    let files =
        IdentityFiles { section: "redis", certificate: ("client_cert", &certificate), key: ("client_key", &key) };
    let identity = read_identity(&files).map_err(|errors| {
        for error in errors {
            redis.error(error.option, format!("{} {}", error.file, error.problem));
        }
    });
    identity.ok()
}

/// Reads the time to live of values whose WRITE does not choose one.
pub fn default_ttl(redis: &SectionReader<'_>) -> Ttl {
    let secs = redis.number("key_expire_secs", i64::MIN..=TTL_SECS_MAX.cast_signed());
    Ttl::from_secs(secs).unwrap_or(Ttl::Never)
}
