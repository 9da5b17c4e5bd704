//! The shard map of a Redis Cluster. Shards and nodes that stay keep their connections.

use super::{
    redis_cluster::{Cluster, ClusterState},
    unassigned::KnownNodes,
    view::ClusterShard,
};
use crate::{
    store::{
        node::Node,
        shard::Shard,
        shard_map::{
            MapHandle, Routing, ShardMap,
            slots::{self, SlotTable},
        },
    },
    telemetry::events::EventKind,
    types::Address,
};
use std::{
    collections::HashSet,
    sync::{Arc, atomic::Ordering::Relaxed},
};

/// The reason for the unavailability of slots that no node has.
const UNCOVERED: &str = "no node of the Redis Cluster has these slots";

impl Cluster {
    /// Returns true if the map already has this layout.
    pub(super) fn is_agreed(&self, layout: &[ClusterShard]) -> bool {
        self.state().agreed == layout
    }

    /// Publishes a map of the layout that the nodes agreed on.
    pub(super) fn apply(&self, layout: Vec<ClusterShard>) {
        let mut state = self.state();
        if state.agreed == layout {
            return;
        }
        let map = self.map.load_full();
        let nodes = map.connected_shards().flat_map(|shard| shard.members().nodes().to_vec());
        let known: KnownNodes = nodes.map(|node| (node.address.clone(), node)).collect();
        let mut shards = self.shards_for(&map, &layout);
        let mut slots = SlotTable::all_at(layout.len());
        for (position, (shard, agreed)) in shards.iter().zip(&layout).enumerate() {
            agreed.slots.iter().for_each(|range| slots.assign(range.clone(), position));
            self.update_shard(shard, agreed, &known);
        }
        let uncovered = slots.ranges(layout.len());
        if !uncovered.is_empty() {
            shards.push(Arc::new(self.new_shard(&slots::name_ranges(&uncovered)).without_nodes(UNCOVERED)));
        }
        let assigned: HashSet<Address> = layout.iter().flat_map(ClusterShard::addresses).collect();
        let unassigned_changed = self.update_unassigned(&mut state, &assigned, &known);
        self.moving.retain(|node| assigned.contains(node) || state.has_unassigned(node));
        if !self.is_known() || unassigned_changed || !has_layout(&map, &slots, &shards) {
            let uncovered: usize = uncovered.iter().map(ExactSizeIterator::len).sum();
            self.record_layout(layout.len(), assigned.len(), uncovered);
            state.publish(&self.map, slots, shards);
        }
        state.agreed = layout;
        self.known.store(true, Relaxed);
        // Sent also if only the nodes of a shard have changed, which needs no new map.
        self.map.notify_node_set_changed();
    }

    /// Gives a shard its name, its nodes and its announced master.
    fn update_shard(&self, shard: &Shard, agreed: &ClusterShard, known: &KnownNodes) {
        shard.rename(&slots::name_ranges(&agreed.slots));
        let (before, now) = (shard.members(), agreed.addresses());
        let is_same = before.nodes().len() == now.len() && now.iter().all(|address| before.find(address).is_some());
        if !is_same {
            shard.set_nodes_from(&now, &self.redis, |address| known.get(address).cloned());
        }
        shard.set_announced_master(&agreed.master);
    }

    /// Logs a new layout and adds an event about it.
    fn record_layout(&self, shards: usize, nodes: usize, uncovered: usize) {
        let gap = if uncovered > 0 { format!("; no node has {uncovered} slots") } else { String::new() };
        let text = format!("the Redis Cluster has {shards} shards on {nodes} nodes{gap}");
        tracing::info!(shards, nodes, uncovered, "{text}");
        self.node_context.events.record(EventKind::Topology, text);
    }

    /// Applies a `MOVED` redirection: `reporter` says that the node at `target` has the slot now. Returns the shard of
    /// that node.
    pub fn on_moved(&self, slot: u16, target: &Address, reporter: &Node) -> Option<Arc<Shard>> {
        self.request_refresh();
        let mut state = self.state();
        let map = self.map.load_full();
        let Routing::Slots(slots) = map.routing() else { return None };
        let Some(position) = map.shards().iter().position(|shard| has_node(shard, target)) else {
            state.agreed.clear();
            return Some(self.add_unassigned(&mut state, target));
        };
        let (shard, owner) = (map.shard(position), map.shard(slots.owner(slot)));
        // Only the owner's word moves a slot: a replica may report an older move, which would move the slot back.
        if owner.members().master().is_none_or(|master| master.id == reporter.id) {
            if !Arc::ptr_eq(shard, owner) {
                let mut slots = slots.clone();
                slots.assign(slot..=slot, position);
                state.publish(&self.map, slots, map.shards().to_vec());
            }
            shard.set_announced_master(target);
            state.agreed.clear();
        }
        if let Some(node) = shard.members().find(target) {
            // The target becomes the master as soon as it says that it is one.
            node.request_probe();
            reporter.request_probe();
        }
        Some(Arc::clone(shard))
    }

    /// Records an `ASK` redirection: the node at `address` is importing the slot. Returns the shard of that node, which is an
    /// unassigned one if the node is new.
    pub fn on_ask(&self, slot: u16, address: &Address) -> Arc<Shard> {
        self.moving.add(address, slot);
        let map = self.map.load_full();
        match map.connected_shards().find(|shard| has_node(shard, address)) {
            Some(shard) => Arc::clone(shard),
            None => self.add_unassigned(&mut self.state(), address),
        }
    }

    /// Returns a shard for each one of the layout: the current shard of its master, preferably the one in which that
    /// node is the master, or a new shard.
    fn shards_for(&self, map: &ShardMap, layout: &[ClusterShard]) -> Vec<Arc<Shard>> {
        let mut free: Vec<&Arc<Shard>> = map.shards().iter().filter(|shard| !shard.has_no_nodes_ever()).collect();
        let mut found: Vec<Option<Arc<Shard>>> = vec![None; layout.len()];
        // The second round also accepts shards in which the node is not the master.
        for as_master in [true, false] {
            for (chosen, agreed) in found.iter_mut().zip(layout).filter(|(chosen, _)| chosen.is_none()) {
                let position = free.iter().position(|shard| {
                    let members = shard.members();
                    members.find(&agreed.master).is_some_and(|node| !as_master || shard.is_master(node))
                });
                if let Some(position) = position {
                    *chosen = Some(Arc::clone(free.swap_remove(position)));
                }
            }
        }
        found.into_iter().map(|shard| shard.unwrap_or_else(|| Arc::new(self.new_shard("")))).collect()
    }
}

impl ClusterState {
    fn has_unassigned(&self, address: &Address) -> bool {
        self.unassigned.iter().any(|node| node.address == *address)
    }

    /// Publishes a map with these slots and shards, and with the unassigned nodes.
    pub(super) fn publish(&self, map: &MapHandle, slots: SlotTable, shards: Vec<Arc<Shard>>) {
        let unassigned = self.unassigned.iter().map(|node| Arc::clone(&node.shard)).collect();
        map.publish(ShardMap::new(Routing::Slots(slots), shards).with_unassigned(unassigned));
    }
}

fn has_node(shard: &Shard, address: &Address) -> bool {
    shard.members().find(address).is_some()
}

/// Returns true if the map has exactly these shards and slots.
fn has_layout(map: &ShardMap, slots: &SlotTable, shards: &[Arc<Shard>]) -> bool {
    let has_shards = map.shards().len() == shards.len()
        && map.shards().iter().zip(shards).all(|(before, now)| Arc::ptr_eq(before, now));
    has_shards && matches!(map.routing(), Routing::Slots(before) if before == slots)
}
