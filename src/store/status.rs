//! The state of all shards and nodes, for the console and the command line.

use crate::{
    ring::Weight,
    store::{
        node::resources::NodeResources,
        shard::{Shard, ShardHealth, node_snapshot::NodeSnapshot},
        shard_map::{Routing, ShardMap, ShardShare},
    },
    telemetry::metrics::{Buckets, Label, LinkState, NodeRole, ShardFailure},
};
use std::time::Duration;

/// The state of all shards at one time.
#[derive(Debug)]
pub struct StoreStatus {
    /// True if the slots of a Redis Cluster take the place of the ring.
    pub cluster: bool,
    /// The state of each shard.
    pub shards: Vec<ShardStatus>,
}

/// The state of a shard.
#[derive(Debug)]
pub struct ShardStatus {
    /// The health of the shard.
    pub health: ShardHealth,
    /// The part of all keys that the shard has; the parts of all shards add up to 1.
    pub share: f64,
    /// The weight on the ring; `None` in a Redis Cluster.
    pub weight: Option<Weight>,
    /// The number of slots; `None` without a Redis Cluster.
    pub slots: Option<usize>,
    /// The number of times that writes moved to another master.
    pub promotions: u64,
    /// The number of commands that failed because of the shard, by cause, without the causes that never occurred.
    pub failures: Vec<(ShardFailure, u64)>,
    /// The state of each node, the master first.
    pub nodes: Vec<NodeStatus>,
}

/// The state of a node.
#[derive(Debug)]
pub struct NodeStatus {
    /// A number that no other node has, not even one that took over the address.
    pub id: u64,
    /// The address of the node.
    pub address: String,
    /// The role of the node in its shard.
    pub role: NodeRole,
    /// True if the node itself reports the role of master.
    pub reports_master: bool,
    /// The state of its connections.
    pub state: LinkState,
    /// True if reads may be sent to the node.
    pub readable: bool,
    /// The number of commands that wait for an answer.
    pub in_flight: usize,
    /// The age of the newest change that a replica is known to have.
    pub lag: Option<Duration>,
    /// The distance between the offsets of a replica and its master.
    pub lag_bytes: Option<u64>,
    /// The number of connections that were opened to the node.
    pub connections: u64,
    /// The durations of its answers so far.
    pub durations: Buckets,
    /// The number of commands that failed.
    pub failures: u64,
    /// The memory and the keys of the process, if they are known.
    pub resources: Option<NodeResources>,
}

impl StoreStatus {
    /// Returns the state of all shards of a map, as far as it is known without asking.
    pub fn of(map: &ShardMap) -> Self {
        let shards = map.shards().iter().zip(map.shares());
        Self {
            cluster: matches!(map.routing(), Routing::Slots(_)),
            shards: shards.map(|(shard, share)| ShardStatus::of(shard, share)).collect(),
        }
    }
}

impl ShardStatus {
    fn of(shard: &Shard, share: &ShardShare) -> Self {
        let health = shard.health();
        let mut nodes: Vec<NodeStatus> =
            NodeSnapshot::of_shard(shard, &health.name).into_iter().map(NodeStatus::from).collect();
        for master in nodes.iter_mut().filter(|node| node.role == NodeRole::Master) {
            master.readable &= !health.is_held();
        }
        nodes.sort_by_key(|node| node.role != NodeRole::Master);
        Self {
            share: share.share,
            weight: share.weight,
            slots: share.slots,
            promotions: shard.promotions.get(),
            failures: failures(shard),
            nodes,
            health,
        }
    }

    /// Returns the number of commands that failed because of the shard.
    pub fn failures_total(&self) -> u64 {
        self.failures.iter().map(|(_, count)| count).sum()
    }
}

fn failures(shard: &Shard) -> Vec<(ShardFailure, u64)> {
    let all = ShardFailure::ALL.iter().map(|cause| (*cause, shard.failures.get(*cause)));
    all.filter(|(_, count)| *count > 0).collect()
}

impl From<NodeSnapshot> for NodeStatus {
    fn from(snapshot: NodeSnapshot) -> Self {
        let node = &snapshot.node;
        let readable = match snapshot.role {
            NodeRole::Master => node.state().is_readable_master(),
            NodeRole::Replica => node.state().is_usable_replica(),
        };
        Self {
            id: node.id.number(),
            role: snapshot.role,
            reports_master: snapshot.reports_master,
            state: snapshot.state,
            readable,
            in_flight: node.in_flight(),
            lag: snapshot.lag_secs.map(Duration::from_secs_f64),
            lag_bytes: snapshot.lag_bytes,
            connections: node.connections_opened(),
            durations: node.metrics.durations.read().buckets,
            failures: node.metrics.failures.rows().map(|(_, count)| count).sum(),
            resources: snapshot.resources.as_deref().copied(),
            address: snapshot.address,
        }
    }
}
