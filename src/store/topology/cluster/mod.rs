//! A Redis Cluster: its slots take the place of the ring, and it decides over failovers itself.
//!
//! A background future asks nodes which there are and who has which slots, and makes the map after their answers. A
//! node that is asked for what it has not says who has it: that is followed at once.

pub mod layout;
mod refresh;
mod view;

use crate::{
    settings,
    store::{
        Inner,
        node::{
            Surroundings,
            connect::{Login, Target},
        },
        shard::Shard,
        shard_map::{Map, Routing, slots::Slots},
    },
    types::{Address, Deadline},
};
use layout::Guest;
use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::{
    sync::{Notify, watch},
    time::{timeout, timeout_at},
};
use view::Group;

const NOT_REACHED: &str = "no node of the Redis Cluster has answered yet";

pub struct Cluster {
    /// The nodes of the settings, asked when no other one answers.
    seeds: Vec<Address>,
    pub(in crate::store) redis: Arc<settings::Redis>,
    around: Surroundings,
    /// Told when shards or nodes come or go.
    pub(in crate::store) layout: watch::Sender<()>,
    /// Asks for a look at the nodes before its time.
    pub(in crate::store) wanted: Arc<Notify>,
    /// The slots have been learned once.
    known: AtomicBool,
    state: Mutex<State>,
}

/// What the map was made after. Who holds it may change the map.
#[derive(Default)]
struct State {
    /// What the nodes agreed on; empty if the map has been changed since.
    agreed: Vec<Group>,
    guests: Vec<Guest>,
}

impl Cluster {
    /// The error says what is wrong with the certificates for Redis.
    pub fn new(
        seeds: &[Address],
        redis: &Arc<settings::Redis>,
        around: &Surroundings,
        layout: &watch::Sender<()>,
    ) -> Result<Self, String> {
        let cluster = Self {
            seeds: seeds.to_vec(),
            redis: Arc::clone(redis),
            around: around.clone(),
            layout: layout.clone(),
            wanted: Arc::new(Notify::new()),
            known: AtomicBool::new(false),
            state: Mutex::default(),
        };
        seeds.iter().try_for_each(|seed| cluster.target(seed).map(drop))?;
        Ok(cluster)
    }

    fn target(&self, node: &Address) -> Result<Target, String> {
        Target::new(node, &Login::to_nodes(&self.redis), self.redis.connect_timeout)
    }

    /// The map as long as nothing is known.
    pub fn blank(&self) -> Map {
        let nobody = self.shard("cluster").vacant(NOT_REACHED);
        Map::new(Routing::Slots(Slots::all_at(0)), vec![Arc::new(nobody)])
    }

    /// Waits, no longer than one attempt, until the slots are known.
    pub async fn settle(&self, deadline: Deadline) {
        if self.is_known() {
            return;
        }
        let until = deadline.attempt(self.redis.attempt_timeout).instant();
        let mut layout = self.layout.subscribe();
        while !self.is_known() && matches!(timeout_at(until, layout.changed()).await, Ok(Ok(()))) {}
    }

    /// Learns the slots, without connections that stay.
    pub async fn discover(&self, store: &Inner, within: Duration) -> Result<(), String> {
        match timeout(within, self.refresh(store, 0)).await {
            Ok(outcome) => outcome,
            Err(_) => Err("no node of the Redis Cluster answered in time".to_owned()),
        }
    }

    fn shard(&self, name: &str) -> Shard {
        Shard::new(name, &self.redis, &self.around, &self.layout).in_cluster(&self.wanted)
    }

    fn is_known(&self) -> bool {
        self.known.load(Relaxed)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
