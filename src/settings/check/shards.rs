//! Shards: which nodes there are, and each in one place.

use super::{check_name, titles};
use crate::{
    settings::{ShardConfig, layers::RawConfig, options::Section, read::SectionReader},
    types::Address,
};
use std::{collections::HashMap, net::Ipv6Addr};

/// The shards as they are listed.
pub fn shards<'a>(
    found: &'a RawConfig,
    redis: &SectionReader<'_>,
    reader: &impl Fn(Section, &'a str) -> SectionReader<'a>,
) -> Vec<ShardConfig> {
    let named = titles(found, Section::Shard);
    let shards: Vec<ShardConfig> = if named.is_empty() {
        vec![ShardConfig {
            name: "main".to_owned(),
            weight: 1,
            master: only_master(redis),
            replicas: redis.addresses("replicas"),
        }]
    } else {
        refuse_one_shard(redis, "[shard:NAME] sections: give each shard its own master and replicas");
        named.into_iter().map(|(title, name)| shard(&reader(Section::Shard, title), name)).collect()
    };
    refuse_doubles(&shards, redis);
    shards
}

/// Refuses the options that list the nodes of one shard, beside what lists them otherwise.
pub fn refuse_one_shard(redis: &SectionReader<'_>, beside: &str) {
    for option in ["host", "port", "replicas"].into_iter().filter(|option| redis.is_set(option)) {
        redis.error(option, format!("is not allowed beside {beside}"));
    }
}

/// The master of the only shard: `host` and `port`, an IPv6 address also without brackets.
fn only_master(redis: &SectionReader<'_>) -> Address {
    let (host, port) = (redis.text("host").unwrap_or_default(), redis.port("port", 1));
    let text = if host.parse::<Ipv6Addr>().is_ok() { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
    text.parse().unwrap_or_else(|_: String| {
        redis.error("host", format!("\"{host}\" is not a host: write its name or IP address, and its port as port"));
        nowhere()
    })
}

fn shard(section: &SectionReader<'_>, name: &str) -> ShardConfig {
    check_name(section, name, "master");
    let master = if let Some(text) = section.text("master") {
        parse_address(section, "master", text)
    } else {
        section.error("master", "is missing: write host:port");
        nowhere()
    };
    if section.is_set("sentinel_master") {
        section.error("sentinel_master", "has no effect without sentinels under [redis]");
    }
    ShardConfig { name: name.to_owned(), weight: weight(section), master, replicas: section.addresses("replicas") }
}

pub fn weight(section: &SectionReader<'_>) -> u32 {
    u32::try_from(section.number("weight", 1..=100)).unwrap_or(1)
}

/// A node belongs to one shard and has one part in it.
fn refuse_doubles(shards: &[ShardConfig], redis: &SectionReader<'_>) {
    let mut seen: HashMap<&Address, &str> = HashMap::new();
    for shard in shards {
        for address in std::iter::once(&shard.master).chain(&shard.replicas).filter(|address| **address != nowhere()) {
            if let Some(other) = seen.insert(address, &shard.name) {
                let places = if other == shard.name {
                    format!("twice in shard \"{other}\"")
                } else {
                    format!("in shard \"{other}\" and in shard \"{}\"", shard.name)
                };
                redis.error("replicas", format!("{address} stands {places}"));
            }
        }
    }
}

fn parse_address(section: &SectionReader<'_>, option: &str, text: &str) -> Address {
    text.parse().unwrap_or_else(|error: String| {
        section.error(option, error);
        nowhere()
    })
}

/// Stands in for an address that was refused; no settings leave here with it.
fn nowhere() -> Address {
    Address { host: String::new(), port: 0 }
}
