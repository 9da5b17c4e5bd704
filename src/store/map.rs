//! Which shards there are, and which one a key is on.

use super::shard::Shard;
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
}

/// From a key to the position of its shard.
pub enum Routing {
    Ring(Ring),
}

/// A key's way.
pub struct Route {
    pub shard: Arc<Shard>,
    /// Of the key: draws it to one of the replicas.
    pub hash: u64,
}

impl Map {
    pub fn new(routing: Routing, shards: Vec<Arc<Shard>>) -> Self {
        Self { routing, shards }
    }

    pub fn shards(&self) -> &[Arc<Shard>] {
        &self.shards
    }

    pub fn shard(&self, position: usize) -> &Arc<Shard> {
        &self.shards[position]
    }

    /// Position of the key's shard, and the key's hash.
    pub fn place(&self, key: &FullKey<'_>) -> (usize, u64) {
        let hash = key_hash(key.as_bytes());
        match &self.routing {
            Routing::Ring(ring) => (ring.owner(hash), hash),
        }
    }

    pub fn route(&self, key: &FullKey<'_>) -> Route {
        let (position, hash) = self.place(key);
        Route { shard: Arc::clone(&self.shards[position]), hash }
    }
}
