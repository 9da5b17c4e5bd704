//! Settings → shards, at the start and when they change.

use crate::{
    ring::Ring,
    settings::{self, Settings, Topology},
    store::{
        StoreCore,
        shard::Shard,
        shard_map::{Routing, ShardMap},
        topology::{cluster::Cluster, sentinel::Sentinels},
    },
    types::Address,
};
use std::sync::Arc;

const SHARDS_WAIT: &str = "[shard:NAME]: shards that sentinels know change only at the next start";
const TOPOLOGY_WAITS: &str = "[redis]: listed shards, sentinels and cluster are exchanged only at the next start";

impl StoreCore {
    /// Makes the shards at the start.
    pub(in crate::store) fn create_shards(&mut self, settings: &Settings) -> Result<(), String> {
        match &settings.topology {
            Topology::Static(_) => self.apply(settings),
            Topology::Sentinel(sentinels) => {
                let watched = &sentinels.shards;
                let shards: Vec<_> =
                    watched.iter().map(|shard| Arc::new(self.shard(&shard.name, &settings.redis))).collect();
                let ring = Ring::new(watched.iter().map(|shard| (shard.name.as_str(), shard.weight)));
                self.sentinels = Some(Sentinels::new(sentinels, &shards, &settings.redis)?);
                self.map.store(Arc::new(ShardMap::new(Routing::Ring(ring), shards)));
                Ok(())
            }
            Topology::Cluster(seeds) => {
                let cluster = Cluster::new(seeds, &settings.redis, &self.node_context, &self.layout_changed)?;
                self.map.store(Arc::new(cluster.empty_map()));
                self.cluster = Some(cluster);
                Ok(())
            }
        }
    }

    /// Takes over the shards of other settings, where they are listed. Those that stay keep their connections.
    pub(in crate::store) fn apply(&self, settings: &Settings) -> Result<(), String> {
        let before = self.map.load_full();
        let listed = match &settings.topology {
            Topology::Static(listed) if self.sentinels.is_none() && self.cluster.is_none() => listed,
            Topology::Cluster(_) if self.cluster.is_some() => return Ok(()),
            Topology::Sentinel(sentinels) if self.sentinels.is_some() => {
                let watched = sentinels.shards.iter().map(|shard| (shard.name.as_str(), shard.weight));
                let same = before.has_same_ring(watched);
                if !same {
                    tracing::warn!("{SHARDS_WAIT}");
                }
                return Ok(());
            }
            _ => {
                tracing::warn!("{TOPOLOGY_WAITS}");
                return Ok(());
            }
        };
        let shard = |listed: &settings::ShardConfig| {
            let known = before.connected_shards().find(|shard| *shard.name() == *listed.name);
            let shard = known.map_or_else(|| Arc::new(self.shard(&listed.name, &settings.redis)), Arc::clone);
            shard.set_nodes(&nodes(listed), &settings.redis).map(|()| shard)
        };
        let shards = listed.iter().map(shard).collect::<Result<Vec<_>, _>>()?;
        if before.has_same_ring(listed.iter().map(|shard| (shard.name.as_str(), shard.weight))) {
            return Ok(());
        }
        self.map.store(Arc::new(ShardMap::new(Routing::Ring(ring(listed)), shards)));
        self.layout_changed.send_replace(());
        Ok(())
    }

    pub(in crate::store) fn shard(&self, name: &str, redis: &settings::RedisConfig) -> Shard {
        Shard::new(name, redis, &self.node_context, &self.layout_changed)
    }
}

fn nodes(shard: &settings::ShardConfig) -> Vec<Address> {
    std::iter::once(&shard.master).chain(&shard.replicas).cloned().collect()
}

fn ring(listed: &[settings::ShardConfig]) -> Ring {
    Ring::new(listed.iter().map(|shard| (shard.name.as_str(), shard.weight)))
}
