//! Which shards there are, and which one a key is on.

use crate::{
    ring::{Ring, key_hash},
    store::{
        cluster::{SLOTS, Slots, slot_of},
        freshness::Moment,
        shard::Shard,
    },
    types::FullKey,
};
use std::sync::{Arc, OnceLock};
use tokio::time::Instant;

/// All shards at one time. It never changes; a change makes another one.
pub struct Map {
    routing: Routing,
    /// In the order that the routing counts in.
    shards: Vec<Arc<Shard>>,
    /// Single nodes that a key may be asked of though no slot is theirs yet.
    guests: Vec<Arc<Shard>>,
    parts: OnceLock<Vec<Part>>,
    previous: Option<Previous>,
}

/// What a shard has of all keys.
#[derive(Clone, Debug)]
pub struct Part {
    /// Of the hash space or of the slots; all together have 1.
    pub share: f64,
    /// Of the ring.
    pub weight: Option<u32>,
    /// Of a Redis Cluster.
    pub slots: Option<usize>,
}

/// Where keys were before, for some time.
#[derive(Clone)]
pub struct Previous {
    pub map: Arc<Map>,
    /// When that changed.
    pub since: Moment,
    pub until: Instant,
}

/// From a key to the position of its shard.
#[derive(Clone)]
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

/// The way that a key had before, and since when it has another one.
pub struct Earlier {
    pub route: Route,
    pub since: Moment,
}

impl Map {
    pub fn new(routing: Routing, shards: Vec<Arc<Shard>>) -> Self {
        Self { routing, shards, guests: Vec::new(), parts: OnceLock::new(), previous: None }
    }

    pub fn with_guests(self, guests: Vec<Arc<Shard>>) -> Self {
        Self { guests, ..self }
    }

    pub fn routing(&self) -> &Routing {
        &self.routing
    }

    /// The same map, with keys that are elsewhere in `before` on the move until then.
    pub fn moving_from(self, before: &Map, since: Moment, until: Instant) -> Self {
        Self { previous: Some(Previous { map: Arc::new(before.settled()), since, until }), ..self }
    }

    /// The same map, with nothing on the move.
    pub fn settled(&self) -> Self {
        let (routing, shards) = (self.routing.clone(), self.shards.clone());
        Self { guests: self.guests.clone(), ..Self::new(routing, shards) }
    }

    pub fn previous(&self) -> Option<&Previous> {
        self.previous.as_ref()
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
    pub fn parts(&self) -> &[Part] {
        self.parts.get_or_init(|| match &self.routing {
            Routing::Ring(ring) => {
                let weights = ring.weights(self.shards.len());
                let part = |(share, weight)| Part { share, weight: Some(weight), slots: None };
                ring.shares(self.shards.len()).into_iter().zip(weights).map(part).collect()
            }
            Routing::Slots(slots) => {
                let part = |count: usize| {
                    #[expect(clippy::cast_precision_loss, reason = "there are 16,384")]
                    let share = count as f64 / f64::from(SLOTS);
                    Part { share, weight: None, slots: Some(count) }
                };
                slots.counts(self.shards.len()).into_iter().map(part).collect()
            }
        })
    }

    pub fn shards(&self) -> &[Arc<Shard>] {
        &self.shards
    }

    /// All whose nodes are connected to: those before as well.
    pub fn connected(&self) -> impl Iterator<Item = &Arc<Shard>> {
        let before = self.previous.iter().flat_map(|previous| previous.map.shards());
        let gone = before.filter(|before| self.shards.iter().all(|shard| !Arc::ptr_eq(shard, before)));
        self.shards.iter().chain(&self.guests).chain(gone)
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

    /// The key's way, and, while it moves, the one that it had before.
    pub fn routes(&self, key: &FullKey<'_>) -> (Route, Option<Earlier>) {
        let now = self.route(key);
        let before = self.previous.as_ref().filter(|previous| Instant::now() < previous.until);
        let before = before.map(|previous| Earlier { route: previous.map.route(key), since: previous.since });
        let before = before.filter(|before| !Arc::ptr_eq(&before.route.shard, &now.shard));
        (now, before)
    }

    pub fn route(&self, key: &FullKey<'_>) -> Route {
        let (position, hash) = self.place(key);
        Route { shard: Arc::clone(&self.shards[position]), hash }
    }
}
