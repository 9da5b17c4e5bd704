//! A static topology: shards with their nodes. Each node belongs to one shard.

use super::limits::check_name;
use crate::{
    ring::Weight,
    settings::{
        options::Section,
        redis_config::ShardConfig,
        section_reader::{SectionReader, SettingsReader},
    },
    types::{Address, check_host},
};
use std::{collections::HashMap, net::Ipv6Addr};

/// Reads the `[shard:NAME]` sections, or the only shard that `[redis]` describes.
pub fn shards(settings: &SettingsReader<'_>, redis: &SectionReader<'_>) -> Vec<ShardConfig> {
    let named = settings.named_sections(Section::Shard);
    let shards: Vec<ShardConfig> = if named.is_empty() {
        vec![ShardConfig {
            name: "main".to_owned(),
            weight: Weight::ONE,
            master: only_master(redis),
            replicas: redis.addresses("replicas"),
        }]
    } else {
        refuse_one_shard(redis, "[shard:NAME] sections: give each shard its own master and replicas");
        named.into_iter().map(|(name, section)| shard(&section, name)).collect()
    };
    refuse_repeated_nodes(&shards, settings, redis);
    shards
}

/// Records a problem for each option that describes a single shard beside another description of the nodes.
pub fn refuse_one_shard(redis: &SectionReader<'_>, beside: &str) {
    for option in ["host", "port", "replicas"].into_iter().filter(|option| redis.is_set(option)) {
        redis.error(option, format!("is not allowed beside {beside}"));
    }
}

/// Reads the master of the only shard from `host` and `port`. An IPv6 address needs no brackets.
fn only_master(redis: &SectionReader<'_>) -> Address {
    let (host, port) = (redis.text("host").unwrap_or_default(), redis.port("port", 1));
    let ip = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    if ip.parse::<Ipv6Addr>().is_ok() {
        return Address { host: ip.to_owned(), port };
    }
    if host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok()) && !host.contains('@') {
        redis.error("host", format!("{host:?} has a port: write the host alone, and its port as port"));
    } else if let Err(error) = check_host(host) {
        redis.error("host", error);
    }
    Address { host: host.to_owned(), port }
}

fn shard(section: &SectionReader<'_>, name: &str) -> ShardConfig {
    check_name(section, name, "master");
    let master = if let Some(text) = section.text("master") {
        parse_address(section, "master", text)
    } else {
        section.error("master", "is missing: write host:port");
        placeholder()
    };
    if section.is_set("sentinel_master") {
        section.error("sentinel_master", "has no effect without sentinels under [redis]");
    }
    ShardConfig { name: name.to_owned(), weight: weight(section), master, replicas: section.addresses("replicas") }
}

/// Reads the weight of a shard.
pub fn weight(section: &SectionReader<'_>) -> Weight {
    let text = section.text("weight").unwrap_or_default();
    text.parse().unwrap_or_else(|error| {
        section.error("weight", format!("\"{text}\" {error}"));
        Weight::ONE
    })
}

/// Records a problem for each node that occurs twice, where it occurs for the second time.
fn refuse_repeated_nodes(shards: &[ShardConfig], settings: &SettingsReader<'_>, redis: &SectionReader<'_>) {
    let sections: HashMap<&str, SectionReader<'_>> = settings.named_sections(Section::Shard).into_iter().collect();
    let mut seen: HashMap<&Address, &str> = HashMap::new();
    for ShardConfig { name, master, replicas, .. } in shards {
        let nodes = std::iter::once(("master", master)).chain(replicas.iter().map(|replica| ("replicas", replica)));
        for (option, address) in nodes.filter(|(_, address)| **address != placeholder()) {
            if let Some(other) = seen.insert(address, name) {
                let places = if other == name {
                    format!("twice in shard \"{other}\"")
                } else {
                    format!("in shard \"{other}\" and in shard \"{name}\"")
                };
                sections.get(name.as_str()).unwrap_or(redis).error(option, format!("{address} is {places}"));
            }
        }
    }
}

fn parse_address(section: &SectionReader<'_>, option: &str, text: &str) -> Address {
    text.parse().unwrap_or_else(|error| {
        section.error(option, error);
        placeholder()
    })
}

/// Returns the replacement of an invalid address. Settings with one are refused.
fn placeholder() -> Address {
    Address { host: String::new(), port: 0 }
}
