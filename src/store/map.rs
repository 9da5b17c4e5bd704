//! Which shards there are, and which one a key is on.

use super::{
    cluster::{Slots, slot_of},
    shard::Shard,
};
use crate::{
    ring::{Ring, key_hash},
    types::FullKey,
};
use std::sync::Arc;

/// All shards at one time. It never changes; a change makes another one.
pub struct Map {
    routing: Routing,
    /// In the order that the routing counts in.
    shards: Vec<Arc<Shard>>,
    /// Single nodes that a key may be asked of though no slot is theirs yet.
    guests: Vec<Arc<Shard>>,
}

/// From a key to the position of its shard.
pub enum Routing {
    Ring(Ring),
    /// Of a Redis Cluster.
    Slots(Slots),
}

/// A key's way.
pub struct Route {
    pub shard: Arc<Shard>,
    /// Of the key: draws it to one of the replicas.
    pub hash: u64,
}

impl Map {
    pub fn new(routing: Routing, shards: Vec<Arc<Shard>>) -> Self {
        Self { routing, shards, guests: Vec::new() }
    }

    pub fn with_guests(self, guests: Vec<Arc<Shard>>) -> Self {
        Self { guests, ..self }
    }

    pub fn routing(&self) -> &Routing {
        &self.routing
    }

    pub fn shards(&self) -> &[Arc<Shard>] {
        &self.shards
    }

    /// All whose nodes are connected to.
    pub fn connected(&self) -> impl Iterator<Item = &Arc<Shard>> {
        self.shards.iter().chain(&self.guests)
    }

    pub fn shard(&self, position: usize) -> &Arc<Shard> {
        &self.shards[position]
    }

    /// Position of the key's shard, and the key's hash.
    pub fn place(&self, key: &FullKey<'_>) -> (usize, u64) {
        let hash = key_hash(key.as_bytes());
        match &self.routing {
            Routing::Ring(ring) => (ring.owner(hash), hash),
            Routing::Slots(slots) => (slots.owner(slot_of(key.as_bytes())), hash),
        }
    }

    pub fn route(&self, key: &FullKey<'_>) -> Route {
        let (position, hash) = self.place(key);
        Route { shard: Arc::clone(&self.shards[position]), hash }
    }
}
