//! How shards are known: listed, by sentinels, or as a Redis Cluster.

use super::{check_name, shards, titles, tls};
use crate::settings::{Sentinels, Topology, WatchedShard, layers::Found, options::Section, read::Reader};
use secrecy::SecretString;

pub fn topology<'a>(
    found: &'a Found,
    redis: &Reader<'_>,
    reader: &impl Fn(Section, &'a str) -> Reader<'a>,
) -> Topology {
    let (sentinels, cluster) = (redis.addresses("sentinels"), redis.addresses("cluster"));
    for (option, addresses) in [("sentinels", &sentinels), ("cluster", &cluster)] {
        if redis.is_set(option) && redis.list(option).is_empty() {
            redis.refuse(option, "names nobody: write host:port, or remove the option");
        }
        if let Some(twice) = doubled(addresses) {
            redis.refuse(option, format!("{twice} stands there twice"));
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
                redis.refuse("sentinel_password", "is needed by the sentinel_username");
            }
            Topology::Sentinel(Sentinels {
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
                redis.refuse("cluster", format!("its slots take the place of shards: remove [{title}]"));
            }
            if redis.number("db", 0..=65_535) != 0 {
                redis.refuse("db", "a Redis Cluster has only database 0");
            }
            Topology::Cluster(cluster)
        }
        (true, true) => {
            redis.refuse("cluster", "is not allowed beside sentinels: a Redis Cluster decides over failovers itself");
            Topology::Cluster(cluster)
        }
    }
}

fn refuse_without_sentinels(redis: &Reader<'_>) {
    let tls = redis.flag("sentinel_tls").then_some("sentinel_tls");
    let login = ["sentinel_username", "sentinel_password"].into_iter().filter(|option| redis.text(option).is_some());
    for option in login.chain(tls) {
        redis.refuse(option, "has no effect without sentinels");
    }
}

fn watched_shards<'a>(
    found: &'a Found,
    redis: &Reader<'_>,
    reader: &impl Fn(Section, &'a str) -> Reader<'a>,
) -> Vec<WatchedShard> {
    let named = titles(found, Section::Shard);
    if named.is_empty() {
        redis.refuse("sentinels", "need at least one [shard:NAME] section with its sentinel_master");
    }
    let shard = |(title, name): (&'a str, &str)| watched_shard(&reader(Section::Shard, title), name);
    let shards: Vec<WatchedShard> = named.into_iter().map(shard).collect();
    let names: Vec<&String> = shards.iter().map(|shard| &shard.master_name).filter(|name| !name.is_empty()).collect();
    if let Some(twice) = doubled(&names) {
        redis.refuse("sentinels", format!("\"{twice}\" is the sentinel_master of two shards"));
    }
    shards
}

/// The first thing that stands in a list twice.
fn doubled<T: PartialEq>(list: &[T]) -> Option<&T> {
    list.iter().enumerate().find(|(position, item)| list[..*position].contains(item)).map(|(_, item)| item)
}

fn watched_shard(section: &Reader<'_>, name: &str) -> WatchedShard {
    check_name(section, name, "sentinel_master");
    for option in ["master", "replicas"].into_iter().filter(|option| section.is_set(option)) {
        section.refuse(option, "is not allowed beside sentinels, which know the nodes");
    }
    let master_name = section.text("sentinel_master").unwrap_or_default();
    if master_name.is_empty() {
        section.refuse("sentinel_master", "is missing: write what the sentinels call this shard's master");
    }
    WatchedShard { name: name.to_owned(), weight: shards::weight(section), master_name: master_name.to_owned() }
}
