//! The map: all shards at one time, and the rule that leads from a key to its shard.

use super::{
    map_id::MapId,
    slots::{SLOTS, SlotTable, slot_of},
};
use crate::{
    ring::{Ring, Weight, key_hash},
    store::shard::Shard,
    types::{Address, FullKey, WorkerArc, WorkerArcs},
};
use std::sync::{Arc, OnceLock};

/// All shards at one time. The map never changes; a change makes another map.
pub struct ShardMap {
    id: MapId,
    routing: Routing,
    /// The shards, in the order of the positions that the routing returns.
    shards: Vec<Arc<Shard>>,
    /// The workers' handles on the shards, in the same order.
    handles: Vec<WorkerArcs<Shard>>,
    /// Single nodes that redirections may lead to though they have no slots yet.
    unassigned: Vec<Arc<Shard>>,
    shares: OnceLock<Vec<ShardShare>>,
}

/// The share of all keys that a shard has.
#[derive(Clone, Debug)]
pub struct ShardShare {
    /// The part of the hash space or of the slots; the parts of all shards add up to 1.
    pub share: f64,
    /// The weight on the ring; `None` in a Redis Cluster.
    pub weight: Option<Weight>,
    /// The number of slots; `None` without a Redis Cluster.
    pub slots: Option<usize>,
}

/// The rule that leads from a key to the position of its shard.
#[derive(Clone)]
pub enum Routing {
    /// The consistent-hash ring.
    Ring(Ring),
    /// The slots of a Redis Cluster.
    Slots(SlotTable),
}

/// The route of a key.
pub struct Route {
    /// The shard that has the key.
    pub shard: WorkerArc<Shard>,
    /// The hash of the key, which decides which replica is preferred.
    pub hash: u64,
    /// The map that the route was taken from.
    pub map: MapId,
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

impl ShardShare {
    fn of_slots(count: usize) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "there are 16,384")]
        let share = count as f64 / f64::from(SLOTS);
        Self { share, weight: None, slots: Some(count) }
    }
}

impl ShardMap {
    /// Creates a map.
    pub fn new(routing: Routing, shards: Vec<Arc<Shard>>) -> Self {
        let handles = shards.iter().map(|_| WorkerArcs::default()).collect();
        Self { id: MapId::next(), routing, shards, handles, unassigned: Vec::new(), shares: OnceLock::new() }
    }

    /// Adds single nodes that have no slots yet.
    pub fn with_unassigned(self, unassigned: Vec<Arc<Shard>>) -> Self {
        Self { unassigned, ..self }
    }

    /// Returns the identity of the map.
    pub fn id(&self) -> MapId {
        self.id
    }

    /// Returns the rule that leads from a key to its shard.
    pub fn routing(&self) -> &Routing {
        &self.routing
    }

    /// Returns true if the ring has exactly these shards with these weights, in this order.
    pub fn has_same_ring<'a>(&self, shards: impl IntoIterator<Item = (&'a str, Weight)>) -> bool {
        let Routing::Ring(ring) = &self.routing else { return false };
        let shards: Vec<_> = shards.into_iter().collect();
        let same = shards.len() == self.shards.len()
            && shards.iter().zip(&self.shards).all(|((name, _), shard)| *name == &*shard.name());
        same && *ring == Ring::new(shards)
    }

    /// Returns the share of each shard; it is computed once.
    pub fn shares(&self) -> &[ShardShare] {
        self.shares.get_or_init(|| match &self.routing {
            Routing::Ring(ring) => {
                let shares = ring.shares(self.shards.len()).into_iter().zip(ring.weights(self.shards.len()));
                shares.map(|(share, weight)| ShardShare { share, weight: Some(weight), slots: None }).collect()
            }
            Routing::Slots(slots) => slots.counts(self.shards.len()).into_iter().map(ShardShare::of_slots).collect(),
        })
    }

    /// Returns all shards that have keys.
    pub fn shards(&self) -> &[Arc<Shard>] {
        &self.shards
    }

    /// Returns all shards whose nodes are connected, the unassigned nodes included.
    pub fn connected_shards(&self) -> impl Iterator<Item = &Arc<Shard>> {
        self.shards.iter().chain(&self.unassigned)
    }

    /// Returns the shard at a position.
    pub fn shard(&self, position: usize) -> &Arc<Shard> {
        &self.shards[position]
    }

    /// Returns the position of the key's shard, and the hash of the key.
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

    /// Returns the route of a key.
    pub fn route(&self, key: &FullKey<'_>) -> Route {
        let (position, hash) = self.locate(key);
        Route { shard: self.handles[position].on(&self.shards[position]), hash, map: self.id }
    }
}
