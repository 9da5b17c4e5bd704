//! The source of the shard map, one of the three kinds.

use super::{cluster::Cluster, sentinel::Sentinels, static_shards::StaticShards};
use crate::{
    settings::{self, Topology},
    store::{
        node::{
            NodeContext,
            login::{Login, SharedLogin},
        },
        shard_map::MapHandle,
    },
};
use std::sync::Arc;

/// The warning about changed shards of a topology with sentinels.
const SHARDS_NOT_RELOADED: &str =
    "[shard:NAME]: the shards have changed; with sentinels this takes effect at the next start";
/// The warning about a change from one kind of topology to another.
const TOPOLOGY_NOT_RELOADED: &str =
    "[redis]: a change between listed shards, sentinels and cluster takes effect at the next start";

/// The source that decides which shards and nodes there are.
pub enum TopologySource {
    /// The settings list all shards and their nodes.
    Static(StaticShards),
    /// Sentinels name the nodes of each shard and its master.
    Sentinel(Sentinels),
    /// The nodes of a Redis Cluster name all nodes and their slots.
    Cluster(Arc<Cluster>),
}

impl TopologySource {
    /// Publishes the first map, with the shards that are known from the settings alone. Sentinels are connected to with
    /// a login of their own.
    pub fn new(
        topology: &Topology,
        redis: &Arc<settings::RedisConfig>,
        node_context: &NodeContext,
        map: &Arc<MapHandle>,
        sentinel_login: Option<Login>,
    ) -> Self {
        match topology {
            Topology::Static(listed) => {
                let shards = StaticShards::new(node_context, map);
                shards.apply(listed, redis);
                Self::Static(shards)
            }
            Topology::Sentinel(sentinels) => {
                let login = SharedLogin::new(sentinel_login.unwrap_or_default());
                Self::Sentinel(Sentinels::new(sentinels, login, redis, node_context, map))
            }
            Topology::Cluster(seeds) => {
                let cluster = Cluster::new(seeds, redis, node_context, map);
                map.publish(cluster.empty_map());
                Self::Cluster(Arc::new(cluster))
            }
        }
    }

    /// Applies changed settings, as far as the source can follow them while the process runs.
    pub fn apply(
        &self,
        topology: &Topology,
        redis: &Arc<settings::RedisConfig>,
        map: &MapHandle,
        sentinel_login: Option<Login>,
    ) {
        match (self, topology) {
            (Self::Static(shards), Topology::Static(listed)) => shards.apply(listed, redis),
            (Self::Cluster(_), Topology::Cluster(_)) => {}
            (Self::Sentinel(running), Topology::Sentinel(sentinels)) => {
                running.login.replace(sentinel_login.unwrap_or_default());
                let watched = sentinels.shards.iter().map(|shard| (shard.name.as_str(), shard.weight));
                if !map.load_full().has_same_ring(watched) {
                    tracing::warn!("{SHARDS_NOT_RELOADED}");
                }
            }
            _ => tracing::warn!("{TOPOLOGY_NOT_RELOADED}"),
        }
    }

    /// Follows the source and keeps the map up to date. Never returns.
    pub async fn run(&self) {
        match self {
            Self::Static(_) => std::future::pending().await,
            Self::Sentinel(sentinels) => sentinels.run().await,
            Self::Cluster(cluster) => cluster.run().await,
        }
    }

    /// Returns the Redis Cluster, if that is the source.
    pub fn cluster(&self) -> Option<&Arc<Cluster>> {
        if let Self::Cluster(cluster) = self { Some(cluster) } else { None }
    }

    /// Returns the problems of the source itself, one sentence each.
    pub fn problems(&self) -> Vec<String> {
        if let Self::Sentinel(sentinels) = self { sentinels.problems() } else { Vec::new() }
    }
}
