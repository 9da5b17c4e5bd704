//! How all shards and nodes are, in plain words and numbers, for people who look.

use crate::{
    store::{
        Store,
        metrics::{NodeReading, nodes},
        shard::{Shard, ShardHealth},
        shard_map::{Routing, ShardMap, ShardShare},
    },
    telemetry::metrics::{Buckets, LinkState, NodeRole},
};
use std::time::Duration;

/// Everything at one time.
#[derive(Debug)]
pub struct StoreStatus {
    /// The slots of a Redis Cluster take the place of the ring.
    pub cluster: bool,
    pub shards: Vec<ShardStatus>,
}

#[derive(Debug)]
pub struct ShardStatus {
    pub health: ShardHealth,
    /// Of all keys; those of all shards add up to 1.
    pub share: f64,
    /// On the ring.
    pub weight: Option<u32>,
    /// Of a Redis Cluster: how many.
    pub slots: Option<usize>,
    /// How often writes went to another master from then on.
    pub promotions: u64,
    /// The master first.
    pub nodes: Vec<NodeStatus>,
}

#[derive(Debug)]
pub struct NodeStatus {
    /// Tells nodes apart, also when one took the address of another.
    pub id: u64,
    pub address: String,
    pub role: NodeRole,
    pub state: LinkState,
    /// Reads may go there, should it come to that.
    pub readable: bool,
    pub in_flight: usize,
    /// How old the moment is until which a replica has all changes.
    pub lag: Option<Duration>,
    pub lag_bytes: Option<u64>,
    /// Connections that it has had.
    pub connections: u64,
    /// How long its answers took so far, ...
    pub durations: Buckets,
    /// ... and how often there was none.
    pub failures: u64,
}

impl Store {
    /// How everything is, as far as is known without asking.
    pub fn status(&self) -> StoreStatus {
        let map = self.0.map.load_full();
        let shard = |(shard, part): (&std::sync::Arc<Shard>, &ShardShare)| shard_status(shard, part);
        StoreStatus { cluster: is_cluster(&map), shards: map.shards().iter().zip(map.shares()).map(shard).collect() }
    }
}

fn is_cluster(map: &ShardMap) -> bool {
    matches!(map.routing(), Routing::Slots(_))
}

fn shard_status(shard: &Shard, part: &ShardShare) -> ShardStatus {
    let health = shard.health();
    let mut nodes: Vec<NodeStatus> = nodes(shard, &health.name).iter().map(node_status).collect();
    nodes.sort_by_key(|node| node.role != NodeRole::Master);
    ShardStatus {
        share: part.share,
        weight: part.weight,
        slots: part.slots,
        promotions: shard.promotions.get(),
        nodes,
        health,
    }
}

fn node_status(now: &NodeReading) -> NodeStatus {
    let node = &now.node;
    let readable = match now.role {
        NodeRole::Master => node.is_readable_master(),
        NodeRole::Replica => node.is_usable_replica(),
    };
    NodeStatus {
        id: node.id.number(),
        address: now.address.clone(),
        role: now.role,
        state: now.state,
        readable,
        in_flight: node.in_flight(),
        lag: now.lag_secs.map(Duration::from_secs_f64),
        lag_bytes: now.lag_bytes,
        connections: node.connections_opened(),
        durations: node.durations.buckets(),
        failures: node.failures.rows().map(|(_, count)| count).sum(),
    }
}
