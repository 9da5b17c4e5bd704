//! Connected nodes without slots: a redirection named them, or they are on their way to another shard.

use super::{
    redis_cluster::{Cluster, ClusterState},
    unassigned_node::UnassignedNode,
};
use crate::{
    store::{node::Node, shard::Shard, shard_map::Routing},
    types::Address,
};
use std::{
    collections::{BTreeSet, HashMap, HashSet},
    sync::Arc,
    time::Duration,
};
use tokio::time::Instant;

/// Maximum number of connected nodes without slots.
const UNASSIGNED_MAX: usize = 64;
/// A node without slots is dropped if it does not get any, or a master that has some, within this time.
const UNASSIGNED_TTL: Duration = Duration::from_secs(60);
/// Connected nodes by address.
pub(super) type KnownNodes = HashMap<Address, Arc<Node>>;

impl Cluster {
    /// Drops unassigned nodes that have slots now, and adds known nodes that have none any more. Returns true if their
    /// number has changed.
    pub(super) fn update_unassigned(
        &self,
        state: &mut ClusterState,
        assigned: &HashSet<Address>,
        known: &KnownNodes,
    ) -> bool {
        let before = state.unassigned.len();
        state.unassigned.retain(|node| !assigned.contains(&node.address));
        // In the order of their addresses, so that a simulation replays exactly.
        let unassigned: BTreeSet<_> = known.keys().filter(|address| !assigned.contains(*address)).collect();
        for address in unassigned {
            self.ensure_unassigned(state, address, Some(known));
        }
        state.unassigned.len() != before
    }

    /// Drops nodes that have had no slots for [`UNASSIGNED_TTL`].
    pub(super) fn expire_unassigned(&self) {
        let mut state = self.state();
        let before = state.unassigned.len();
        state.unassigned.retain(|node| node.since.elapsed() < UNASSIGNED_TTL);
        if state.unassigned.len() < before {
            self.publish_unassigned(&state);
        }
    }

    /// Adds an unassigned node and publishes the map with it. Returns its shard.
    pub(super) fn add_unassigned(&self, state: &mut ClusterState, address: &Address) -> Arc<Shard> {
        let shard = self.ensure_unassigned(state, address, None);
        self.publish_unassigned(state);
        shard
    }

    /// Adds an unassigned node unless it is there already; takes it from `known` if it is there. Returns its shard.
    fn ensure_unassigned(&self, state: &mut ClusterState, address: &Address, known: Option<&KnownNodes>) -> Arc<Shard> {
        if let Some(node) = state.unassigned.iter().find(|node| node.address == *address) {
            return Arc::clone(&node.shard);
        }
        let shard = Arc::new(self.new_shard(&address.to_string()));
        let nodes = std::slice::from_ref(address);
        shard.set_nodes_from(nodes, &self.redis, |address| known?.get(address).cloned());
        if state.unassigned.len() >= UNASSIGNED_MAX {
            state.unassigned.remove(0);
        }
        let (since, address) = (Instant::now(), address.clone());
        state.unassigned.push(UnassignedNode { since, address, shard: Arc::clone(&shard) });
        shard
    }

    /// Publishes the current map with changed unassigned nodes.
    fn publish_unassigned(&self, state: &ClusterState) {
        let map = self.map.load_full();
        let Routing::Slots(slots) = map.routing() else { return };
        state.publish(&self.map, slots.clone(), map.shards().to_vec());
        self.map.notify_node_set_changed();
    }
}
