//! The topology: a static list of shards, sentinels, or a Redis Cluster.

use super::{connections::login, limits::check_name, shards};
use crate::settings::{
    options::Section,
    redis_config::{SentinelShardConfig, SentinelsConfig, Topology},
    section_reader::{SectionReader, SettingsReader},
};

/// Reads the topology that the settings choose; several at once are a problem.
pub fn topology(settings: &SettingsReader<'_>, redis: &SectionReader<'_>) -> Topology {
    let (sentinels, cluster) = (redis.addresses("sentinels"), redis.addresses("cluster"));
    for (option, addresses) in [("sentinels", &sentinels), ("cluster", &cluster)] {
        if redis.is_set(option) && redis.list(option).is_empty() {
            redis.error(option, "names no address: write host:port, or remove the option");
        }
        if let Some(repeated) = repeated(addresses) {
            redis.error(option, format!("{repeated} is listed twice"));
        }
    }
    if !redis.is_set("sentinels") {
        refuse_without_sentinels(redis);
    }
    match (redis.is_set("sentinels"), redis.is_set("cluster")) {
        (false, false) => Topology::Static(shards::shards(settings, redis)),
        (true, false) => {
            shards::refuse_one_shard(redis, "sentinels, which know the nodes");
            Topology::Sentinel(SentinelsConfig {
                addresses: sentinels,
                login: login(redis, ["sentinel_username", "sentinel_password"], redis.flag("sentinel_tls")),
                shards: sentinel_shards(settings, redis),
            })
        }
        (false, true) => {
            shards::refuse_one_shard(redis, "cluster, which knows the nodes");
            for (_, section) in settings.named_sections(Section::Shard) {
                let message = format!("its slots take the place of shards: remove [{}]", section.title());
                redis.error("cluster", message);
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

fn sentinel_shards(settings: &SettingsReader<'_>, redis: &SectionReader<'_>) -> Vec<SentinelShardConfig> {
    let named = settings.named_sections(Section::Shard);
    if named.is_empty() {
        redis.error("sentinels", "need at least one [shard:NAME] section with its sentinel_master");
    }
    let shards: Vec<SentinelShardConfig> =
        named.into_iter().map(|(name, section)| sentinel_shard(&section, name)).collect();
    let names: Vec<&String> = shards.iter().map(|shard| &shard.master_name).filter(|name| !name.is_empty()).collect();
    if let Some(repeated) = repeated(&names) {
        redis.error("sentinels", format!("\"{repeated}\" is the sentinel_master of two shards"));
    }
    shards
}

/// Returns the first item that occurs in a list for the second time.
fn repeated<T: PartialEq>(list: &[T]) -> Option<&T> {
    list.iter().enumerate().find(|(position, item)| list[..*position].contains(item)).map(|(_, item)| item)
}

fn sentinel_shard(section: &SectionReader<'_>, name: &str) -> SentinelShardConfig {
    check_name(section, name, "sentinel_master");
    for option in ["master", "replicas"].into_iter().filter(|option| section.is_set(option)) {
        section.error(option, "is not allowed beside sentinels, which know the nodes");
    }
    let master_name = section.text("sentinel_master").unwrap_or_default();
    if master_name.is_empty() {
        section.error("sentinel_master", "is missing: write the name that the sentinels have for this shard's master");
    }
    SentinelShardConfig { name: name.to_owned(), weight: shards::weight(section), master_name: master_name.to_owned() }
}
