//! The cluster itself: the struct that the refresh of its slots and the layout of its shards belong to.

use super::{moving_slots::MovingSlots, unassigned_node::UnassignedNode, view::ClusterShard};
use crate::{
    settings,
    store::{
        node::{NodeContext, NodeId, connect::RedisEndpoint},
        shard::Shard,
        shard_map::{MapHandle, Routing, ShardMap, slots::SlotTable},
        topology::error::TopologyError,
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

/// The reason for the unavailability of all slots until a node has answered.
const NOT_REACHED: &str = "no node of the Redis Cluster has answered yet";

/// A Redis Cluster and the map of its slots.
pub struct Cluster {
    /// The nodes that the settings list. They are asked if no connected node answers.
    pub(super) seeds: Vec<Address>,
    /// The settings of connections to nodes.
    pub(super) redis: Arc<settings::RedisConfig>,
    /// The state that all nodes share.
    pub(super) node_context: NodeContext,
    /// The map that this cluster publishes.
    pub(super) map: Arc<MapHandle>,
    /// A notification makes the next refresh start before its time.
    pub(super) refresh_requested: Arc<Notify>,
    /// True once the slots have been learned.
    pub(super) known: AtomicBool,
    /// The slots that are on the move.
    pub(super) moving: MovingSlots,
    /// The state from which the map is made.
    pub(super) state: Mutex<ClusterState>,
}

/// The state from which the map is made. A change of the map requires its lock.
#[derive(Default)]
pub struct ClusterState {
    /// The layout that the nodes agreed on; empty if a redirection has changed the map since.
    pub(super) agreed: Vec<ClusterShard>,
    /// The masters that were lost when all nodes were asked last.
    pub(super) lost_masters: Vec<NodeId>,
    /// Connected nodes without slots.
    pub(super) unassigned: Vec<UnassignedNode>,
}

impl Cluster {
    /// Prepares a cluster whose slots are not known.
    pub fn new(
        seeds: &[Address],
        redis: &Arc<settings::RedisConfig>,
        node_context: &NodeContext,
        map: &Arc<MapHandle>,
    ) -> Self {
        Self {
            seeds: seeds.to_vec(),
            redis: Arc::clone(redis),
            node_context: node_context.clone(),
            map: Arc::clone(map),
            refresh_requested: Arc::new(Notify::new()),
            known: AtomicBool::new(false),
            moving: MovingSlots::default(),
            state: Mutex::default(),
        }
    }

    /// Returns the endpoint of a node.
    pub(super) fn endpoint(&self, node: &Address) -> RedisEndpoint {
        RedisEndpoint::new(node, &self.node_context.login, self.redis.connect_timeout, &self.node_context)
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
        while !self.is_known() && timeout_at(until, node_set.changed()).await.is_ok() {}
    }

    /// Learns the slots once, over connections that are closed afterwards.
    pub async fn discover(&self, within: Duration) -> Result<(), TopologyError> {
        timeout(within, self.refresh(0)).await.unwrap_or(Err(TopologyError::NoAnswer))
    }

    /// Creates a shard of this cluster, without nodes.
    pub(super) fn new_shard(&self, name: &str) -> Shard {
        Shard::new(name, &self.redis, &self.node_context, self.map.node_set_changed())
            .in_cluster(&self.refresh_requested)
    }

    /// Returns true if a slot is on the move between two masters, as far as is known.
    pub fn is_moving(&self, slot: u16) -> bool {
        self.moving.contains(slot)
    }

    /// Makes the next refresh of the slots start at once.
    pub fn request_refresh(&self) {
        self.refresh_requested.notify_one();
    }

    /// Returns true once the slots have been learned.
    pub(super) fn is_known(&self) -> bool {
        self.known.load(Relaxed)
    }

    /// Locks the state.
    pub(super) fn state(&self) -> MutexGuard<'_, ClusterState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
