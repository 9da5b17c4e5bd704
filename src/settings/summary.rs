//! What would run with these settings, for people; secrets are masked.

use super::{SentinelShardConfig, Settings, ShardConfig, Topology};
use crate::types::{Address, Ttl};
use std::fmt;

impl fmt::Display for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let service = &self.service;
        writeln!(
            f,
            "serve      https://{} (certificate {})",
            host_port(service.host, service.port),
            service.tls_cert.display()
        )?;
        writeln!(f, "admin      http://{}", host_port(service.admin_host, service.admin_port))?;
        self.topology.fmt(f)?;
        let redis = &self.redis;
        let user = redis.username.as_deref().unwrap_or("default");
        let password = if redis.password.is_some() { "password ****" } else { "no password" };
        let tls = if redis.tls.is_some() { "TLS" } else { "no TLS" };
        writeln!(f, "redis      user {user}, {password}, database {}, {tls}", redis.db)?;
        for client in &self.auth.clients {
            let namespace = client
                .namespace
                .as_ref()
                .map_or(String::new(), |namespace| format!(", namespace {}", namespace.name()));
            let limit = client
                .commands_per_second
                .map_or(String::new(), |limit| format!(", at most {limit} commands per second"));
            let kind = if client.any_client_id {
                "shared secret ****".to_owned()
            } else {
                format!("{} api key(s)", client.api_key_hashes.len())
            };
            writeln!(f, "client     {}: {kind}, may {}{namespace}{limit}", client.id, client.scopes)?;
        }
        match (self.sealing.keys.len(), self.sealing.always) {
            (0, _) => writeln!(f, "sealing    not set up")?,
            (keys, true) => writeln!(f, "sealing    every value, {keys} key(s) ****")?,
            (keys, false) => writeln!(f, "sealing    on request, {keys} key(s) ****")?,
        }
        if let Some(collector) = &self.telemetry.collector {
            writeln!(f, "traces     to {}, a share of {}", collector.endpoint, self.telemetry.sample_ratio)?;
        }
        match self.default_ttl {
            Ttl::Never => write!(f, "values     live for ever"),
            Ttl::Secs(secs) => write!(f, "values     live {secs} s"),
        }?;
        writeln!(f, " unless a WRITE says otherwise, up to {} bytes each", service.value_bytes_max)?;
        self.warnings.iter().try_for_each(|notice| writeln!(f, "note       {notice}"))
    }
}

impl fmt::Display for Topology {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Static(shards) => shards.iter().try_for_each(|ShardConfig { name, weight, master, replicas }| {
                writeln!(f, "shard      {name} (weight {weight}): master {master}, replicas {}", list(replicas))
            }),
            Self::Sentinel(sentinels) => {
                let password = if sentinels.password.is_some() { "password ****" } else { "no password" };
                writeln!(f, "sentinels  {}, {password}", list(&sentinels.addresses))?;
                sentinels.shards.iter().try_for_each(|SentinelShardConfig { name, weight, master_name }| {
                    writeln!(f, "shard      {name} (weight {weight}): what the sentinels call {master_name}")
                })
            }
            Self::Cluster(nodes) => writeln!(f, "cluster    {}", list(nodes)),
        }
    }
}

fn list(addresses: &[Address]) -> String {
    let addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
    if addresses.is_empty() { "none".to_owned() } else { addresses.join(", ") }
}

fn host_port(host: std::net::IpAddr, port: u16) -> std::net::SocketAddr {
    (host, port).into()
}
