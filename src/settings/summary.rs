//! A summary of the settings for people. Secrets are masked.

use super::{
    all_settings::Settings,
    auth_config::ClientConfig,
    redis_config::{SentinelShardConfig, ShardConfig, Topology},
    sealing_config::SealingRule,
};
use crate::types::{Address, Ttl};
use std::fmt;

impl fmt::Display for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let service = &self.service;
        writeln!(f, "serve      https://{} (certificate {})", host_port(service.host, service.port), service.tls_cert)?;
        writeln!(f, "admin      http://{}", host_port(service.admin_host, service.admin_port))?;
        self.topology.fmt(f)?;
        let redis = &self.redis;
        let login = &self.redis_login;
        let user = login.username.as_deref().unwrap_or("default");
        let password = if login.password.is_some() { "password ****" } else { "no password" };
        let tls = if login.tls.is_some() { "TLS" } else { "no TLS" };
        writeln!(f, "redis      user {user}, {password}, database {}, {tls}", redis.db)?;
        self.auth.clients.iter().try_for_each(|client| client.fmt(f))?;
        let values = match self.sealing.rule {
            SealingRule::OnRequest => "on request",
            SealingRule::Always => "every value",
            SealingRule::Required => "every value, and no other value is read",
        };
        match self.sealing.keys.len() {
            0 => writeln!(f, "sealing    not configured")?,
            keys => writeln!(f, "sealing    {values}, {}", count(keys, "encryption key"))?,
        }
        if let Some(collector) = &self.telemetry.collector {
            writeln!(f, "traces     to {}, a share of {}", collector.endpoint, self.telemetry.sample_ratio)?;
        }
        match self.default_ttl {
            Ttl::Never => write!(f, "values     never expire"),
            Ttl::Secs(secs) => write!(f, "values     expire after {secs} s"),
        }?;
        writeln!(f, " unless a WRITE chooses otherwise; up to {} bytes each", service.value_bytes_max)?;
        self.warnings.iter().try_for_each(|warning| writeln!(f, "warning    {warning}"))
    }
}

impl fmt::Display for ClientConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "client     {}: ", self.id)?;
        if self.any_client_id {
            write!(f, "shared secret ****")?;
        } else {
            f.write_str(&count(self.api_key_hashes.len(), "API key"))?;
        }
        write!(f, ", may {}", self.scopes)?;
        match &self.namespace {
            Some(namespace) => write!(f, ", namespace {}", namespace.name())?,
            None => write!(f, ", all keys")?,
        }
        if let Some(limit) = self.commands_per_second {
            write!(f, ", at most {limit} commands per second")?;
        }
        writeln!(f)
    }
}

impl fmt::Display for Topology {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Static(shards) => shards.iter().try_for_each(|ShardConfig { name, weight, master, replicas }| {
                writeln!(f, "shard      {name} (weight {weight}): master {master}, replicas {}", list(replicas))
            }),
            Self::Sentinel(sentinels) => {
                let password = if sentinels.login.password.is_some() { "password ****" } else { "no password" };
                writeln!(f, "sentinels  {}, {password}", list(&sentinels.addresses))?;
                sentinels.shards.iter().try_for_each(|SentinelShardConfig { name, weight, master_name }| {
                    writeln!(f, "shard      {name} (weight {weight}): the sentinels' master {master_name}")
                })
            }
            Self::Cluster(nodes) => writeln!(f, "cluster    {}", list(nodes)),
        }
    }
}

/// Returns a number with its noun, which is in the plural unless the number is 1.
fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

fn list(addresses: &[Address]) -> String {
    let addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
    if addresses.is_empty() { "none".to_owned() } else { addresses.join(", ") }
}

fn host_port(host: std::net::IpAddr, port: u16) -> std::net::SocketAddr {
    (host, port).into()
}
