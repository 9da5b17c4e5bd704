//! Shards that the settings list, at the start and when the settings change.

use crate::{
    ring::{Ring, Weight},
    settings::{self, RedisConfig},
    store::{
        node::NodeContext,
        shard::Shard,
        shard_map::{MapHandle, Routing, ShardMap},
    },
    types::Address,
};
use std::sync::Arc;

/// The shards that the settings list.
pub struct StaticShards {
    node_context: NodeContext,
    /// The map that this source publishes.
    map: Arc<MapHandle>,
}

impl StaticShards {
    /// Creates the source without any shard; [`StaticShards::apply`] adds them.
    pub fn new(node_context: &NodeContext, map: &Arc<MapHandle>) -> Self {
        Self { node_context: node_context.clone(), map: Arc::clone(map) }
    }

    /// Publishes a map with the listed shards. Shards and nodes that stay keep their connections.
    pub fn apply(&self, listed: &[settings::ShardConfig], redis: &RedisConfig) {
        let before = self.map.load_full();
        let mut shards = Vec::with_capacity(listed.len());
        let mut is_changed = !before.has_same_ring(names_and_weights(listed));
        for config in listed {
            let known = before.connected_shards().find(|shard| *shard.name() == *config.name);
            let shard = known.map_or_else(|| Arc::new(self.new_shard(&config.name, redis)), Arc::clone);
            is_changed |= shard.members().nodes().iter().any(|node| !addresses(config).contains(&node.address));
            shard.set_nodes(&addresses(config), redis);
            shards.push(shard);
        }
        // Another map also tells the changes in flight that a node of their shard has left. Those that succeed find that out
        // by themselves until then.
        if is_changed {
            self.map.publish(ShardMap::new(Routing::Ring(Ring::new(names_and_weights(listed))), shards));
            self.map.notify_node_set_changed();
        }
    }

    fn new_shard(&self, name: &str, redis: &RedisConfig) -> Shard {
        Shard::new(name, redis, &self.node_context, self.map.node_set_changed())
    }
}

/// Returns the addresses of a listed shard's nodes, the master first.
fn addresses(shard: &settings::ShardConfig) -> Vec<Address> {
    std::iter::once(&shard.master).chain(&shard.replicas).cloned().collect()
}

/// Returns the name and the weight of each listed shard.
fn names_and_weights(listed: &[settings::ShardConfig]) -> impl Iterator<Item = (&str, Weight)> {
    listed.iter().map(|config| (config.name.as_str(), config.weight))
}
