//! A check of everything that the settings of Redis name: each node, sentinel and seed of a cluster is connected to once,
//! with the credentials and certificates of the settings, and asked what it is and what the service's user may do there.

mod endpoint;
mod expected;
mod permissions;
mod server_facts;

pub use endpoint::EndpointCheck;
pub use server_facts::ServerFacts;

use super::{
    cluster::view::{self, Claim},
    sentinel::replies::MasterReply,
};
use crate::{
    settings::{self, Topology},
    store::{
        node::{
            NodeContext,
            login::{Login, RedisCertificateError, SharedLogin},
        },
        shard_map::slots::{self, SlotTable},
        store_config::Config,
    },
    types::Address,
};
use endpoint::Checker;
use expected::Asked;
use futures_util::future::join_all;
use std::collections::BTreeMap;

/// The result of a check.
#[derive(Debug, Default)]
pub struct ConnectionReport {
    /// The nodes, sentinels and seeds, in the order of the settings.
    pub endpoints: Vec<EndpointCheck>,
    /// The problems that belong to no single address, each in one sentence.
    pub problems: Vec<String>,
}

impl ConnectionReport {
    /// Returns all problems, each in one sentence that names its address or its shard.
    pub fn all_problems(&self) -> impl Iterator<Item = String> {
        let of_endpoints = self.endpoints.iter().flat_map(|endpoint| {
            endpoint.problems.iter().map(|problem| format!("{} ({}): {problem}", endpoint.address, endpoint.purpose))
        });
        of_endpoints.chain(self.problems.iter().cloned())
    }
}

/// Connects to everything that the settings name, and to the nodes that sentinels or a cluster name. Permissions are asked
/// for with `key`, which must not exist; nothing is changed. Each address has twice the connect timeout.
pub async fn check_connections(config: &Config<'_>, key: &str) -> Result<ConnectionReport, RedisCertificateError> {
    let context = NodeContext { simulation: config.simulation.clone(), ..NodeContext::default() };
    let login = SharedLogin::new(Login::new(config.login, config.redis.db)?);
    let nodes = Checker { login, redis: config.redis, context: &context, key };
    Ok(match config.topology {
        Topology::Static(shards) => check_shards(&nodes, shards).await,
        Topology::Sentinel(sentinels) => {
            let login = SharedLogin::new(Login::new(&sentinels.login, 0)?);
            check_sentinels(&Checker { login, ..nodes.clone() }, &nodes, sentinels).await
        }
        Topology::Cluster(seeds) => check_cluster(&nodes, seeds).await,
    })
}

async fn check_shards(checker: &Checker<'_>, shards: &[settings::ShardConfig]) -> ConnectionReport {
    let mut report = ConnectionReport::default();
    let asked = shards.iter().flat_map(|shard| {
        let replicas = shard.replicas.iter().map(|replica| (replica, format!("replica of shard \"{}\"", shard.name)));
        std::iter::once((&shard.master, format!("master of shard \"{}\"", shard.name))).chain(replicas)
    });
    report.endpoints =
        join_all(asked.map(|(address, purpose)| checker.check_node(address, purpose, Asked::ListedNode))).await;
    let mut checked = report.endpoints.iter();
    for shard in shards {
        let of_shard: Vec<&EndpointCheck> = checked.by_ref().take(1 + shard.replicas.len()).collect();
        report.problems.extend(master_problem(&shard.name, &of_shard));
    }
    report
}

/// Returns the problem of a shard whose nodes all answered, and not exactly one of them as a master.
fn master_problem(shard: &str, nodes: &[&EndpointCheck]) -> Option<String> {
    let roles: Option<Vec<&str>> = nodes.iter().map(|node| node.facts.as_ref()?.role.as_deref()).collect();
    match roles?.iter().filter(|role| **role == server_facts::MASTER).count() {
        0 => Some(format!("shard \"{shard}\": none of its nodes calls itself master: promote one")),
        1 => None,
        masters => Some(format!(
            "shard \"{shard}\": {masters} of its nodes call themselves master: make all but one a replica of that one"
        )),
    }
}

async fn check_sentinels(
    checker: &Checker<'_>,
    nodes: &Checker<'_>,
    sentinels: &settings::SentinelsConfig,
) -> ConnectionReport {
    let names: Vec<&str> = sentinels.shards.iter().map(|shard| shard.master_name.as_str()).collect();
    let checks = sentinels.addresses.iter().map(|address| checker.check_sentinel(address, &names));
    let checked = join_all(checks).await;
    let mut report = ConnectionReport::default();
    // The first sentinel that knows a master names its nodes.
    let mut named: BTreeMap<Address, String> = BTreeMap::new();
    for (number, shard) in sentinels.shards.iter().enumerate() {
        let mut replies = checked.iter().filter_map(|(_, replies)| replies.get(number));
        if let Some(MasterReply::Report(found)) = replies.find(|reply| matches!(reply, MasterReply::Report(_))) {
            let replicas = found.replicas.iter().filter(|replica| replica.down_for.is_none());
            named.extend(
                replicas.map(|replica| (replica.address.clone(), format!("replica of shard \"{}\"", shard.name))),
            );
            named.insert(found.master.clone(), format!("master of shard \"{}\"", shard.name));
        }
    }
    report.endpoints = checked.into_iter().map(|(endpoint, _)| endpoint).collect();
    let found = named.iter().map(|(address, purpose)| nodes.check_node(address, purpose.clone(), Asked::ListedNode));
    report.endpoints.extend(join_all(found).await);
    report
}

async fn check_cluster(checker: &Checker<'_>, seeds: &[Address]) -> ConnectionReport {
    let mut report = ConnectionReport::default();
    let mut views: Vec<Vec<Claim>> = Vec::new();
    for (endpoint, view) in join_all(seeds.iter().map(|seed| checker.check_seed(seed))).await {
        report.endpoints.push(endpoint);
        views.extend(view);
    }
    let layout = view::agree(&views);
    let mut covered = SlotTable::all_at(1);
    for shard in &layout {
        shard.slots.iter().for_each(|range| covered.assign(range.clone(), 0));
    }
    let uncovered = covered.ranges(1);
    if !views.is_empty() && !uncovered.is_empty() {
        report.problems.push(format!("no node of the Redis Cluster has the slots {}", slots::name_ranges(&uncovered)));
    }
    let others = layout.iter().flat_map(|shard| shard.addresses().into_iter().enumerate());
    let others = others.filter(|(_, address)| !seeds.contains(address)).map(|(number, address)| async move {
        let purpose = if number == 0 { "master of the cluster" } else { "replica of the cluster" };
        checker.check_node(&address, purpose.to_owned(), Asked::ClusterNode).await
    });
    report.endpoints.extend(join_all(others).await);
    report
}
