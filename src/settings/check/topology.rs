//! How shards are known: listed, by sentinels, or as a Redis Cluster.

use super::{check_name, shards, titles, tls};
use crate::settings::{
    SentinelShardConfig, SentinelsConfig, Topology, layers::RawConfig, options::Section, read::SectionReader,
};
use secrecy::SecretString;

pub fn topology<'a>(
    found: &'a RawConfig,
    redis: &SectionReader<'_>,
    reader: &impl Fn(Section, &'a str) -> SectionReader<'a>,
) -> Topology {
    let (sentinels, cluster) = (redis.addresses("sentinels"), redis.addresses("cluster"));
    for (option, addresses) in [("sentinels", &sentinels), ("cluster", &cluster)] {
        if redis.is_set(option) && redis.list(option).is_empty() {
            redis.error(option, "names nobody: write host:port, or remove the option");
        }
        if let Some(twice) = doubled(addresses) {
            redis.error(option, format!("{twice} stands there twice"));
        }
    }
    if !redis.is_set("sentinels") {
        refuse_without_sentinels(redis);
    }
    match (redis.is_set("sentinels"), redis.is_set("cluster")) {
        (false, false) => Topology::Static(shards::shards(found, redis, reader)),
        (true, false) => {
            shards::refuse_one_shard(redis, "sentinels, which know the nodes");
            if redis.text("sentinel_username").is_some() && redis.text("sentinel_password").is_none() {
                redis.error("sentinel_password", "is needed by the sentinel_username");
            }
            Topology::Sentinel(SentinelsConfig {
                addresses: sentinels,
                username: redis.text("sentinel_username").map(str::to_owned),
                password: redis.text("sentinel_password").map(SecretString::from),
                tls: redis.flag("sentinel_tls").then(|| tls(redis)),
                shards: watched_shards(found, redis, reader),
            })
        }
        (false, true) => {
            shards::refuse_one_shard(redis, "cluster, which knows the nodes");
            for (title, _) in titles(found, Section::Shard) {
                redis.error("cluster", format!("its slots take the place of shards: remove [{title}]"));
            }
            if redis.number("db", 0..=65_535) != 0 {
                redis.error("db", "a Redis Cluster has only database 0");
            }
            Topology::Cluster(cluster)
        }
        (true, true) => {
            redis.error("cluster", "is not allowed beside sentinels: a Redis Cluster decides over failovers itself");
            Topology::Cluster(cluster)
        }
    }
}

fn refuse_without_sentinels(redis: &SectionReader<'_>) {
    let tls = redis.flag("sentinel_tls").then_some("sentinel_tls");
    let login = ["sentinel_username", "sentinel_password"].into_iter().filter(|option| redis.text(option).is_some());
    for option in login.chain(tls) {
        redis.error(option, "has no effect without sentinels");
    }
}

fn watched_shards<'a>(
    found: &'a RawConfig,
    redis: &SectionReader<'_>,
    reader: &impl Fn(Section, &'a str) -> SectionReader<'a>,
) -> Vec<SentinelShardConfig> {
    let named = titles(found, Section::Shard);
    if named.is_empty() {
        redis.error("sentinels", "need at least one [shard:NAME] section with its sentinel_master");
    }
    let shard = |(title, name): (&'a str, &str)| watched_shard(&reader(Section::Shard, title), name);
    let shards: Vec<SentinelShardConfig> = named.into_iter().map(shard).collect();
    let names: Vec<&String> = shards.iter().map(|shard| &shard.master_name).filter(|name| !name.is_empty()).collect();
    if let Some(twice) = doubled(&names) {
        redis.error("sentinels", format!("\"{twice}\" is the sentinel_master of two shards"));
    }
    shards
}

/// The first thing that stands in a list twice.
fn doubled<T: PartialEq>(list: &[T]) -> Option<&T> {
    list.iter().enumerate().find(|(position, item)| list[..*position].contains(item)).map(|(_, item)| item)
}

fn watched_shard(section: &SectionReader<'_>, name: &str) -> SentinelShardConfig {
    check_name(section, name, "sentinel_master");
    for option in ["master", "replicas"].into_iter().filter(|option| section.is_set(option)) {
        section.error(option, "is not allowed beside sentinels, which know the nodes");
    }
    let master_name = section.text("sentinel_master").unwrap_or_default();
    if master_name.is_empty() {
        section.error("sentinel_master", "is missing: write what the sentinels call this shard's master");
    }
    SentinelShardConfig { name: name.to_owned(), weight: shards::weight(section), master_name: master_name.to_owned() }
}
