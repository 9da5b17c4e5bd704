//! A Redis Cluster: its slots replace the ring, and the cluster itself decides about failovers.
//!
//! A background task asks nodes for the slots and publishes a map after their answers. In between, an operation that
//! gets a redirection (`MOVED`) changes the map at once.

pub mod layout;
mod refresh;
mod unassigned;
mod view;

use super::error::TopologyError;
use crate::{
    settings,
    store::{
        node::{
            NodeContext,
            connect::{ConnectOptions, RedisCertificateError, RedisEndpoint},
        },
        shard::Shard,
        shard_map::{MapHandle, Routing, ShardMap, slots::SlotTable},
    },
    types::{Address, Deadline},
};
use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::{
    sync::Notify,
    time::{timeout, timeout_at},
};
use unassigned::UnassignedNode;
use view::ClusterShard;

/// The reason for the unavailability of all slots until a node has answered.
const NOT_REACHED: &str = "no node of the Redis Cluster has answered yet";

/// A Redis Cluster and the map of its slots.
pub struct Cluster {
    /// The nodes that the settings list. They are asked if no connected node answers.
    seeds: Vec<Address>,
    redis: Arc<settings::RedisConfig>,
    node_context: NodeContext,
    /// The map that this cluster publishes.
    map: Arc<MapHandle>,
    /// A notification makes the next refresh start before its time.
    refresh_requested: Arc<Notify>,
    /// True once the slots have been learned.
    known: AtomicBool,
    state: Mutex<ClusterState>,
}

/// The state from which the map is made. A change of the map requires its lock.
#[derive(Default)]
struct ClusterState {
    /// The layout that the nodes agreed on; empty if a redirection has changed the map since.
    agreed: Vec<ClusterShard>,
    /// Connected nodes without slots.
    unassigned: Vec<UnassignedNode>,
}

impl Cluster {
    /// Prepares a cluster whose slots are not known. The error says what is wrong with the certificates for Redis.
    pub fn new(
        seeds: &[Address],
        redis: &Arc<settings::RedisConfig>,
        node_context: &NodeContext,
        map: &Arc<MapHandle>,
    ) -> Result<Self, RedisCertificateError> {
        let cluster = Self {
            seeds: seeds.to_vec(),
            redis: Arc::clone(redis),
            node_context: node_context.clone(),
            map: Arc::clone(map),
            refresh_requested: Arc::new(Notify::new()),
            known: AtomicBool::new(false),
            state: Mutex::default(),
        };
        seeds.iter().try_for_each(|seed| cluster.endpoint(seed).map(drop))?;
        Ok(cluster)
    }

    fn endpoint(&self, node: &Address) -> Result<RedisEndpoint, RedisCertificateError> {
        RedisEndpoint::new(node, &ConnectOptions::for_nodes(&self.redis), self.redis.connect_timeout)
    }

    /// Returns the map that applies until the slots are known: one shard without nodes has all slots.
    pub fn empty_map(&self) -> ShardMap {
        let unavailable = self.new_shard("cluster").without_nodes(NOT_REACHED);
        ShardMap::new(Routing::Slots(SlotTable::all_at(0)), vec![Arc::new(unavailable)])
    }

    /// Waits until the slots are known, but no longer than one attempt of an operation.
    pub async fn wait_until_known(&self, deadline: Deadline) {
        if self.is_known() {
            return;
        }
        let until = deadline.attempt(self.redis.attempt_timeout).instant();
        let mut node_set = self.map.subscribe();
        while !self.is_known() && matches!(timeout_at(until, node_set.changed()).await, Ok(Ok(()))) {}
    }

    /// Learns the slots once, over connections that are closed afterwards.
    pub async fn discover(&self, within: Duration) -> Result<(), TopologyError> {
        timeout(within, self.refresh(0)).await.unwrap_or(Err(TopologyError::NoAnswer))
    }

    /// Creates a shard of this cluster, without nodes.
    fn new_shard(&self, name: &str) -> Shard {
        Shard::new(name, &self.redis, &self.node_context, self.map.node_set_changed())
            .in_cluster(&self.refresh_requested)
    }

    /// Makes the next refresh of the slots start at once.
    pub fn request_refresh(&self) {
        self.refresh_requested.notify_one();
    }

    /// Returns the time that one attempt of an operation may take.
    pub fn attempt_timeout(&self) -> Duration {
        self.redis.attempt_timeout
    }

    fn is_known(&self) -> bool {
        self.known.load(Relaxed)
    }

    fn state(&self) -> MutexGuard<'_, ClusterState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
