//! From what the nodes say to the map: shards and nodes that stay are kept, with their connections.

use super::{Cluster, State, view::Group};
use crate::{
    store::{
        Inner,
        node::Node,
        shard::Shard,
        shard_map::{
            Map, Routing,
            slots::{self, SLOTS, Slots},
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
const GUESTS_MAX: usize = 64;
/// A guest that has not got slots, or a master that has some, by then goes.
const GUEST_STAY: Duration = Duration::from_secs(60);
const UNCOVERED: &str = "no node of the Redis Cluster has these slots";

/// A node that another one named and that has no slots yet; or one that had some, and may be on its way to another
/// shard.
pub struct Guest {
    since: Instant,
    address: Address,
    shard: Arc<Shard>,
}

impl Cluster {
    /// True if the map is made after this already.
    pub(in crate::store) fn has_agreed(&self, groups: &[Group]) -> bool {
        self.state().agreed == groups
    }

    /// Makes the map after what the nodes agreed on. The error says what is wrong with the certificates for Redis.
    pub(in crate::store) fn apply(&self, store: &Inner, groups: Vec<Group>) -> Result<(), String> {
        let mut state = self.state();
        if state.agreed == groups {
            return Ok(());
        }
        let map = store.map.load_full();
        let nodes = map.connected().flat_map(|shard| shard.members().nodes().to_vec());
        let known: HashMap<Address, Arc<Node>> = nodes.map(|node| (node.address.clone(), node)).collect();
        let mut shards = self.shards_for(&map, &groups);
        let mut slots = Slots::all_at(groups.len());
        for (position, (shard, group)) in shards.iter().zip(&groups).enumerate() {
            group.slots.iter().for_each(|range| slots.give(range.clone(), position));
            shard.rename(&slots::name(&group.slots));
            let (before, now) = (shard.members(), group.addresses());
            let same = before.nodes().len() == now.len() && now.iter().all(|address| before.find(address).is_some());
            if !same {
                shard.take_nodes(&now, &self.redis, |address| known.get(address).cloned())?;
            }
            shard.appoint(&group.master);
        }
        let uncovered = slots.ranges(groups.len());
        if !uncovered.is_empty() {
            shards.push(Arc::new(self.shard(&slots::name(&uncovered)).vacant(UNCOVERED)));
        }
        let guests = state.guests.len();
        let owners: HashSet<Address> = groups.iter().flat_map(Group::addresses).collect();
        state.guests.retain(|guest| !owners.contains(&guest.address));
        for address in known.keys().filter(|address| !owners.contains(*address)) {
            self.take_in(&mut state, address, |address| known.get(address).cloned());
        }
        let is_new = !self.is_known() || state.guests.len() != guests || !is_same(&map, &slots, &shards);
        if is_new {
            let uncovered: usize = uncovered.iter().map(ExactSizeIterator::len).sum();
            tracing::info!(shards = groups.len(), nodes = owners.len(), uncovered, "the layout of the Redis Cluster");
            let gap = if uncovered > 0 { format!("; nobody has {uncovered} slots") } else { String::new() };
            let text = format!("the Redis Cluster has {} shards on {} nodes{gap}", groups.len(), owners.len());
            self.around.events.note(EventKind::Topology, text);
            state.put(store, slots, shards);
        }
        state.agreed = groups;
        self.known.store(true, Relaxed);
        // Also where only the nodes of a shard are others.
        self.layout.send_replace(());
        Ok(())
    }

    /// Notes that `by` says that a slot is now at another node. Returns the shard of that one.
    pub(in crate::store) fn note_moved(&self, store: &Inner, slot: u16, to: &Address, by: &Node) -> Option<Arc<Shard>> {
        self.wanted.notify_one();
        let mut state = self.state();
        let map = store.map.load_full();
        let Routing::Slots(slots) = map.routing() else { return None };
        let has = |shard: &&Arc<Shard>| shard.members().find(to).is_some();
        let Some(position) = map.shards().iter().position(|shard| has(&shard)) else {
            state.agreed.clear();
            return self.invite(&mut state, store, to);
        };
        let (shard, owner) = (map.shard(position), map.shard(slots.owner(slot)));
        // Only the owner gives a slot away; a replica may have heard it late, and would take it back.
        if owner.members().master().is_none_or(|master| master.id == by.id) {
            if !Arc::ptr_eq(shard, owner) {
                let mut slots = slots.clone();
                slots.give(slot..=slot, position);
                state.put(store, slots, map.shards().to_vec());
            }
            shard.appoint(to);
            state.agreed.clear();
        }
        if let Some(node) = shard.members().find(to) {
            node.doubt();
        }
        Some(Arc::clone(shard))
    }

    /// The shard that has the node with this address. A node that is new here is taken in as a guest.
    pub(in crate::store) fn shard_of(&self, store: &Inner, address: &Address) -> Option<Arc<Shard>> {
        let map = store.map.load_full();
        let has = |shard: &&Arc<Shard>| shard.members().find(address).is_some();
        match map.connected().find(has) {
            Some(shard) => Some(Arc::clone(shard)),
            None => self.invite(&mut self.state(), store, address),
        }
    }

    /// Ends the stay of guests that have not become owners of slots.
    pub(in crate::store) fn see_off_guests(&self, store: &Inner) {
        let mut state = self.state();
        let before = state.guests.len();
        state.guests.retain(|guest| guest.since.elapsed() < GUEST_STAY);
        if state.guests.len() < before {
            self.replace_guests(store, &state);
        }
    }

    fn invite(&self, state: &mut State, store: &Inner, address: &Address) -> Option<Arc<Shard>> {
        let shard = self.take_in(state, address, |_| None);
        self.replace_guests(store, state);
        shard
    }

    /// Makes a node a guest if it is none yet.
    fn take_in(
        &self,
        state: &mut State,
        address: &Address,
        known: impl Fn(&Address) -> Option<Arc<Node>>,
    ) -> Option<Arc<Shard>> {
        if let Some(guest) = state.guests.iter().find(|guest| guest.address == *address) {
            return Some(Arc::clone(&guest.shard));
        }
        let shard = Arc::new(self.shard(&address.to_string()));
        shard.take_nodes(std::slice::from_ref(address), &self.redis, known).ok()?;
        if state.guests.len() >= GUESTS_MAX {
            state.guests.remove(0);
        }
        let (since, address) = (Instant::now(), address.clone());
        state.guests.push(Guest { since, address, shard: Arc::clone(&shard) });
        Some(shard)
    }

    fn replace_guests(&self, store: &Inner, state: &State) {
        let map = store.map.load_full();
        let Routing::Slots(slots) = map.routing() else { return };
        state.put(store, slots.clone(), map.shards().to_vec());
        self.layout.send_replace(());
    }

    /// A shard for each group: the one that had its master, as master if there is such a one, else a new one.
    fn shards_for(&self, map: &Map, groups: &[Group]) -> Vec<Arc<Shard>> {
        let mut free: Vec<&Arc<Shard>> = map.shards().iter().filter(|shard| !shard.is_vacant()).collect();
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

impl State {
    /// Sets another map.
    fn put(&self, store: &Inner, slots: Slots, shards: Vec<Arc<Shard>>) {
        let guests = self.guests.iter().map(|guest| Arc::clone(&guest.shard)).collect();
        store.map.store(Arc::new(Map::new(Routing::Slots(slots), shards).with_guests(guests)));
    }
}

/// True if the map has these shards and slots already.
fn is_same(map: &Map, slots: &Slots, shards: &[Arc<Shard>]) -> bool {
    let same_shards = map.shards().len() == shards.len()
        && map.shards().iter().zip(shards).all(|(before, now)| Arc::ptr_eq(before, now));
    same_shards && matches!(map.routing(), Routing::Slots(before) if before == slots)
}

/// Slots are counted from 0.
pub(in crate::store) fn is_slot(slot: u16) -> bool {
    slot < SLOTS
}
