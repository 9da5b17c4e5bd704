//! Which shards there are, and which one a key is on.

mod handle;
pub mod slots;

pub use handle::MapHandle;

use crate::{
    ring::{Ring, key_hash},
    store::shard::Shard,
    types::{Address, FullKey},
};
use slots::{SLOTS, SlotTable, slot_of};
use std::sync::{Arc, OnceLock};

/// All shards at one time. It never changes; a change makes another one.
pub struct ShardMap {
    routing: Routing,
    /// In the order that the routing counts in.
    shards: Vec<Arc<Shard>>,
    /// Single nodes that a key may be asked of though no slot is theirs yet.
    unassigned: Vec<Arc<Shard>>,
    shares: OnceLock<Vec<ShardShare>>,
}

/// What a shard has of all keys.
#[derive(Clone, Debug)]
pub struct ShardShare {
    /// Of the hash space or of the slots; all together have 1.
    pub share: f64,
    /// Of the ring.
    pub weight: Option<u32>,
    /// Of a Redis Cluster.
    pub slots: Option<usize>,
}

/// From a key to the position of its shard.
#[derive(Clone)]
pub enum Routing {
    Ring(Ring),
    /// Of a Redis Cluster.
    Slots(SlotTable),
}

/// A key's way.
pub struct Route {
    pub shard: Arc<Shard>,
    /// Of the key: draws it to one of the replicas.
    pub hash: u64,
}

/// The place of a key: its shard, and the nodes of the shard that serve it.
#[derive(Debug, PartialEq, Eq)]
pub struct Location {
    /// The name of the shard.
    pub shard: String,
    /// The slot of the key; `None` without a Redis Cluster.
    pub slot: Option<u16>,
    /// The address of the master; `None` while no node of the shard is known.
    pub master: Option<Address>,
    /// The address of the replica that is read first; `None` if the shard has no replica.
    pub replica: Option<Address>,
}

impl ShardMap {
    pub fn new(routing: Routing, shards: Vec<Arc<Shard>>) -> Self {
        Self { routing, shards, unassigned: Vec::new(), shares: OnceLock::new() }
    }

    pub fn with_unassigned(self, guests: Vec<Arc<Shard>>) -> Self {
        Self { unassigned: guests, ..self }
    }

    pub fn routing(&self) -> &Routing {
        &self.routing
    }

    /// True if these are the shards that its ring was made of.
    pub fn has_same_ring<'a>(&self, shards: impl IntoIterator<Item = (&'a str, u32)>) -> bool {
        let Routing::Ring(ring) = &self.routing else { return false };
        let shards: Vec<_> = shards.into_iter().collect();
        let same = shards.len() == self.shards.len()
            && shards.iter().zip(&self.shards).all(|((name, _), shard)| *name == &*shard.name());
        same && *ring == Ring::new(shards)
    }

    /// What each of the shards has; worked out once.
    pub fn shares(&self) -> &[ShardShare] {
        self.shares.get_or_init(|| match &self.routing {
            Routing::Ring(ring) => {
                let weights = ring.weights(self.shards.len());
                let part = |(share, weight)| ShardShare { share, weight: Some(weight), slots: None };
                ring.shares(self.shards.len()).into_iter().zip(weights).map(part).collect()
            }
            Routing::Slots(slots) => {
                let part = |count: usize| {
                    #[expect(clippy::cast_precision_loss, reason = "there are 16,384")]
                    let share = count as f64 / f64::from(SLOTS);
                    ShardShare { share, weight: None, slots: Some(count) }
                };
                slots.counts(self.shards.len()).into_iter().map(part).collect()
            }
        })
    }

    pub fn shards(&self) -> &[Arc<Shard>] {
        &self.shards
    }

    /// All whose nodes are connected to.
    pub fn connected_shards(&self) -> impl Iterator<Item = &Arc<Shard>> {
        self.shards.iter().chain(&self.unassigned)
    }

    pub fn shard(&self, position: usize) -> &Arc<Shard> {
        &self.shards[position]
    }

    /// Position of the key's shard, and the key's hash.
    pub fn locate(&self, key: &FullKey<'_>) -> (usize, u64) {
        let hash = key_hash(key.as_bytes());
        match &self.routing {
            Routing::Ring(ring) => (ring.owner(hash), hash),
            Routing::Slots(slots) => (slots.owner(slot_of(key.as_bytes())), hash),
        }
    }

    /// Returns the slot of a key; `None` without a Redis Cluster.
    pub fn slot(&self, key: &FullKey<'_>) -> Option<u16> {
        matches!(self.routing, Routing::Slots(_)).then(|| slot_of(key.as_bytes()))
    }

    /// Returns the place of a key.
    pub fn location(&self, key: &FullKey<'_>) -> Location {
        let (position, hash) = self.locate(key);
        let shard = &self.shards[position];
        let members = shard.members();
        Location {
            shard: shard.name().to_string(),
            slot: self.slot(key),
            master: members.master().map(|master| master.address.clone()),
            replica: members.preferred_replica(hash).map(|replica| replica.address.clone()),
        }
    }

    /// The key's way.
    pub fn route(&self, key: &FullKey<'_>) -> Route {
        let (position, hash) = self.locate(key);
        Route { shard: Arc::clone(&self.shards[position]), hash }
    }
}
