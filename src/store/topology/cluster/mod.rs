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
        node::{
            NodeContext,
            connect::{ConnectOptions, RedisCertificateError, RedisEndpoint},
        },
        shard::Shard,
        shard_map::{MapHandle, Routing, ShardMap, slots::SlotTable},
    },
    types::{Address, Deadline},
};
use layout::UnassignedNode;
use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::{
    sync::Notify,
    time::{timeout, timeout_at},
};
use view::ClusterShard;

const NOT_REACHED: &str = "no node of the Redis Cluster has answered yet";

pub struct Cluster {
    /// The nodes of the settings, asked when no other one answers.
    seeds: Vec<Address>,
    redis: Arc<settings::RedisConfig>,
    node_context: NodeContext,
    /// The map that this cluster publishes.
    map: Arc<MapHandle>,
    /// A notification makes the next refresh start before its time.
    refresh_requested: Arc<Notify>,
    /// The slots have been learned once.
    known: AtomicBool,
    state: Mutex<ClusterState>,
}

/// What the map was made after. Who holds it may change the map.
#[derive(Default)]
struct ClusterState {
    /// What the nodes agreed on; empty if the map has been changed since.
    agreed: Vec<ClusterShard>,
    unassigned: Vec<UnassignedNode>,
}

impl Cluster {
    /// The error says what is wrong with the certificates for Redis.
    pub fn new(
        seeds: &[Address],
        redis: &Arc<settings::RedisConfig>,
        around: &NodeContext,
        map: &Arc<MapHandle>,
    ) -> Result<Self, RedisCertificateError> {
        let cluster = Self {
            seeds: seeds.to_vec(),
            redis: Arc::clone(redis),
            node_context: around.clone(),
            map: Arc::clone(map),
            refresh_requested: Arc::new(Notify::new()),
            known: AtomicBool::new(false),
            state: Mutex::default(),
        };
        seeds.iter().try_for_each(|seed| cluster.endpoint(seed).map(drop))?;
        Ok(cluster)
    }

    fn endpoint(&self, node: &Address) -> Result<RedisEndpoint, RedisCertificateError> {
        RedisEndpoint::new(node, &ConnectOptions::for_nodes(&self.redis), self.redis.connect_timeout)
    }

    /// The map as long as nothing is known.
    pub fn empty_map(&self) -> ShardMap {
        let nobody = self.shard("cluster").without_nodes(NOT_REACHED);
        ShardMap::new(Routing::Slots(SlotTable::all_at(0)), vec![Arc::new(nobody)])
    }

    /// Waits, no longer than one attempt, until the slots are known.
    pub async fn wait_until_known(&self, deadline: Deadline) {
        if self.is_known() {
            return;
        }
        let until = deadline.attempt(self.redis.attempt_timeout).instant();
        let mut layout = self.map.subscribe();
        while !self.is_known() && matches!(timeout_at(until, layout.changed()).await, Ok(Ok(()))) {}
    }

    /// Learns the slots, without connections that stay.
    pub async fn discover(&self, within: Duration) -> Result<(), String> {
        match timeout(within, self.refresh(0)).await {
            Ok(outcome) => outcome,
            Err(_) => Err("no node of the Redis Cluster answered in time".to_owned()),
        }
    }

    fn shard(&self, name: &str) -> Shard {
        Shard::new(name, &self.redis, &self.node_context, self.map.layout_changed()).in_cluster(&self.refresh_requested)
    }

    /// Makes the next refresh of the slots start at once.
    pub fn request_refresh(&self) {
        self.refresh_requested.notify_one();
    }

    /// Returns the time that one attempt of an operation may take.
    pub fn attempt_timeout(&self) -> Duration {
        self.redis.attempt_timeout
    }

    fn is_known(&self) -> bool {
        self.known.load(Relaxed)
    }

    fn state(&self) -> MutexGuard<'_, ClusterState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
