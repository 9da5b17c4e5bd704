//! From what the nodes say to the map: shards and nodes that stay are kept, with their connections.

use super::{Cluster, ClusterState, view::ClusterShard};
use crate::{
    store::{
        node::{Node, connect::RedisCertificateError},
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
    collections::{HashMap, HashSet},
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};
use tokio::time::Instant;

/// Nodes that are kept connected to though they have no slots.
const UNASSIGNED_MAX: usize = 64;
/// A guest that has not got slots, or a master that has some, by then goes.
const UNASSIGNED_TTL: Duration = Duration::from_secs(60);
const UNCOVERED: &str = "no node of the Redis Cluster has these slots";

/// A node that another one named and that has no slots yet; or one that had some, and may be on its way to another
/// shard.
pub struct UnassignedNode {
    since: Instant,
    address: Address,
    shard: Arc<Shard>,
}

impl Cluster {
    /// True if the map is made after this already.
    pub(super) fn has_agreed(&self, groups: &[ClusterShard]) -> bool {
        self.state().agreed == groups
    }

    /// Makes the map after what the nodes agreed on. The error says what is wrong with the certificates for Redis.
    pub(super) fn apply(&self, groups: Vec<ClusterShard>) -> Result<(), RedisCertificateError> {
        let mut state = self.state();
        if state.agreed == groups {
            return Ok(());
        }
        let map = self.map.load_full();
        let nodes = map.connected_shards().flat_map(|shard| shard.members().nodes().to_vec());
        let known: HashMap<Address, Arc<Node>> = nodes.map(|node| (node.address.clone(), node)).collect();
        let mut shards = self.shards_for(&map, &groups);
        let mut slots = SlotTable::all_at(groups.len());
        for (position, (shard, group)) in shards.iter().zip(&groups).enumerate() {
            group.slots.iter().for_each(|range| slots.assign(range.clone(), position));
            shard.rename(&slots::name_ranges(&group.slots));
            let (before, now) = (shard.members(), group.addresses());
            let same = before.nodes().len() == now.len() && now.iter().all(|address| before.find(address).is_some());
            if !same {
                shard.set_nodes_from(&now, &self.redis, |address| known.get(address).cloned())?;
            }
            shard.set_announced_master(&group.master);
        }
        let uncovered = slots.ranges(groups.len());
        if !uncovered.is_empty() {
            shards.push(Arc::new(self.shard(&slots::name_ranges(&uncovered)).without_nodes(UNCOVERED)));
        }
        let guests = state.unassigned.len();
        let owners: HashSet<Address> = groups.iter().flat_map(ClusterShard::addresses).collect();
        state.unassigned.retain(|guest| !owners.contains(&guest.address));
        for address in known.keys().filter(|address| !owners.contains(*address)) {
            self.ensure_unassigned(&mut state, address, |address| known.get(address).cloned());
        }
        let is_new = !self.is_known() || state.unassigned.len() != guests || !is_same(&map, &slots, &shards);
        if is_new {
            let uncovered: usize = uncovered.iter().map(ExactSizeIterator::len).sum();
            tracing::info!(shards = groups.len(), nodes = owners.len(), uncovered, "the layout of the Redis Cluster");
            let gap = if uncovered > 0 { format!("; nobody has {uncovered} slots") } else { String::new() };
            let text = format!("the Redis Cluster has {} shards on {} nodes{gap}", groups.len(), owners.len());
            self.node_context.events.record(EventKind::Topology, text);
            state.publish(&self.map, slots, shards);
        }
        state.agreed = groups;
        self.known.store(true, Relaxed);
        // Also where only the nodes of a shard are others.
        self.map.notify_layout_changed();
        Ok(())
    }

    /// Notes that `by` says that a slot is now at another node. Returns the shard of that one.
    pub fn on_moved(&self, slot: u16, to: &Address, by: &Node) -> Option<Arc<Shard>> {
        self.request_refresh();
        let mut state = self.state();
        let map = self.map.load_full();
        let Routing::Slots(slots) = map.routing() else { return None };
        let has = |shard: &&Arc<Shard>| shard.members().find(to).is_some();
        let Some(position) = map.shards().iter().position(|shard| has(&shard)) else {
            state.agreed.clear();
            return self.add_unassigned(&mut state, to);
        };
        let (shard, owner) = (map.shard(position), map.shard(slots.owner(slot)));
        // Only the owner gives a slot away; a replica may have heard it late, and would take it back.
        if owner.members().master().is_none_or(|master| master.id == by.id) {
            if !Arc::ptr_eq(shard, owner) {
                let mut slots = slots.clone();
                slots.assign(slot..=slot, position);
                state.publish(&self.map, slots, map.shards().to_vec());
            }
            shard.set_announced_master(to);
            state.agreed.clear();
        }
        if let Some(node) = shard.members().find(to) {
            node.request_probe();
        }
        Some(Arc::clone(shard))
    }

    /// The shard that has the node with this address. A node that is new here is taken in as a guest.
    pub fn shard_of(&self, address: &Address) -> Option<Arc<Shard>> {
        let map = self.map.load_full();
        let has = |shard: &&Arc<Shard>| shard.members().find(address).is_some();
        match map.connected_shards().find(has) {
            Some(shard) => Some(Arc::clone(shard)),
            None => self.add_unassigned(&mut self.state(), address),
        }
    }

    /// Ends the stay of guests that have not become owners of slots.
    pub(super) fn expire_unassigned(&self) {
        let mut state = self.state();
        let before = state.unassigned.len();
        state.unassigned.retain(|guest| guest.since.elapsed() < UNASSIGNED_TTL);
        if state.unassigned.len() < before {
            self.replace_unassigned(&state);
        }
    }

    fn add_unassigned(&self, state: &mut ClusterState, address: &Address) -> Option<Arc<Shard>> {
        let shard = self.ensure_unassigned(state, address, |_| None);
        self.replace_unassigned(state);
        shard
    }

    /// Makes a node a guest if it is none yet.
    fn ensure_unassigned(
        &self,
        state: &mut ClusterState,
        address: &Address,
        known: impl Fn(&Address) -> Option<Arc<Node>>,
    ) -> Option<Arc<Shard>> {
        if let Some(guest) = state.unassigned.iter().find(|guest| guest.address == *address) {
            return Some(Arc::clone(&guest.shard));
        }
        let shard = Arc::new(self.shard(&address.to_string()));
        shard.set_nodes_from(std::slice::from_ref(address), &self.redis, known).ok()?;
        if state.unassigned.len() >= UNASSIGNED_MAX {
            state.unassigned.remove(0);
        }
        let (since, address) = (Instant::now(), address.clone());
        state.unassigned.push(UnassignedNode { since, address, shard: Arc::clone(&shard) });
        Some(shard)
    }

    fn replace_unassigned(&self, state: &ClusterState) {
        let map = self.map.load_full();
        let Routing::Slots(slots) = map.routing() else { return };
        state.publish(&self.map, slots.clone(), map.shards().to_vec());
        self.map.notify_layout_changed();
    }

    /// A shard for each group: the one that had its master, as master if there is such a one, else a new one.
    fn shards_for(&self, map: &ShardMap, groups: &[ClusterShard]) -> Vec<Arc<Shard>> {
        let mut free: Vec<&Arc<Shard>> = map.shards().iter().filter(|shard| !shard.has_no_nodes_ever()).collect();
        let mut found: Vec<Option<Arc<Shard>>> = vec![None; groups.len()];
        // In the second round no longer as its master.
        for as_master in [true, false] {
            for (place, group) in found.iter_mut().zip(groups).filter(|(place, _)| place.is_none()) {
                let had = |shard: &Arc<Shard>| {
                    let members = shard.members();
                    members.find(&group.master).is_some_and(|node| !as_master || shard.is_master(node))
                };
                if let Some(position) = free.iter().position(|shard| had(shard)) {
                    *place = Some(Arc::clone(free.swap_remove(position)));
                }
            }
        }
        found.into_iter().map(|place| place.unwrap_or_else(|| Arc::new(self.shard("")))).collect()
    }
}

impl ClusterState {
    /// Sets another map.
    fn publish(&self, map: &MapHandle, slots: SlotTable, shards: Vec<Arc<Shard>>) {
        let guests = self.unassigned.iter().map(|guest| Arc::clone(&guest.shard)).collect();
        map.publish(ShardMap::new(Routing::Slots(slots), shards).with_unassigned(guests));
    }
}

/// True if the map has these shards and slots already.
fn is_same(map: &ShardMap, slots: &SlotTable, shards: &[Arc<Shard>]) -> bool {
    let same_shards = map.shards().len() == shards.len()
        && map.shards().iter().zip(shards).all(|(before, now)| Arc::ptr_eq(before, now));
    same_shards && matches!(map.routing(), Routing::Slots(before) if before == slots)
}
