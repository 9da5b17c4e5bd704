//! State that nodes share: all nodes, or those of one shard.

use crate::{
    store::{
        change_signal::ChangeSignal,
        consistency::{Clock, ReplicationProgress},
        node::{connection_class::LargeKeys, login::SharedLogin, tracking::InvalidationHandler},
        simulation::{Simulation, random_number},
    },
    telemetry::events::Events,
};
use arc_swap::ArcSwap;
use std::{fmt, sync::Arc, time::Duration};
use tokio::sync::Notify;

/// The state that all nodes share.
#[derive(Clone, Default)]
pub struct NodeContext {
    /// The clock of this process.
    pub clock: Clock,
    /// Receives the keys that change; `None` where nothing is cached.
    pub on_invalidation: Option<InvalidationHandler>,
    /// The login of connections to nodes.
    pub login: SharedLogin,
    /// The keys whose values were large when they were last read or written.
    pub large_keys: Arc<LargeKeys>,
    /// The list of events for operators.
    pub events: Arc<Events>,
    /// The simulation that takes the place of the network; `None` in production.
    pub simulation: Option<Arc<dyn Simulation>>,
}

impl NodeContext {
    /// Returns a time between half of `wait` and all of it, so that instances that lost a node together do not
    /// reconnect together.
    pub fn with_jitter(&self, wait: Duration) -> Duration {
        let [byte, ..] = random_number(self.simulation.as_ref()).to_le_bytes();
        wait / 2 + wait * u32::from(byte) / 512
    }
}

/// The state that the nodes of one shard share. A clone is a handle on the same state.
#[derive(Clone, Default)]
pub struct ShardContext {
    /// The name of the shard.
    pub name: ShardName,
    /// Notified when a node of the shard changes.
    pub changed: ChangeSignal,
    /// The offsets that the shard's master has reached.
    pub progress: Arc<ReplicationProgress>,
    /// The state that all nodes share.
    pub node_context: NodeContext,
    /// Notified when a node of a Redis Cluster is lost or changes its role; `None` outside a Redis Cluster.
    pub cluster_refresh_requested: Option<Arc<Notify>>,
}

impl ShardContext {
    /// Returns true if the nodes belong to a Redis Cluster.
    pub fn in_cluster(&self) -> bool {
        self.cluster_refresh_requested.is_some()
    }

    /// Reports that a node has changed.
    pub fn notify_changed(&self) {
        self.changed.notify();
    }

    /// Asks for a refresh of the layout of the Redis Cluster, if there is one.
    pub fn request_cluster_refresh(&self) {
        if let Some(refresh_requested) = &self.cluster_refresh_requested {
            refresh_requested.notify_one();
        }
    }
}

/// The name of a shard, as the shard and its nodes know it. In a Redis Cluster it changes with the shard's slots. A
/// clone is a handle on the same name.
#[derive(Clone, Default)]
pub struct ShardName(Arc<ArcSwap<Arc<str>>>);

impl ShardName {
    /// Creates a name.
    pub fn new(name: &str) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(name.into())))
    }

    /// Returns the name as it is now.
    pub fn get(&self) -> Arc<str> {
        Arc::clone(&self.0.load())
    }

    /// Changes the name.
    pub fn set(&self, name: &str) {
        if *self.get() != *name {
            self.0.store(Arc::new(name.into()));
        }
    }
}

impl fmt::Display for ShardName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.get())
    }
}
