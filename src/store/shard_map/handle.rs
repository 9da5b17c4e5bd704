//! The current shard map of a store: the topology publishes maps, operations load them.

use super::map::ShardMap;
use crate::store::change_signal::{ChangeSignal, ChangeSubscriber};
use arc_swap::{ArcSwap, Guard};
use std::sync::Arc;

/// The place where the current [`ShardMap`] is published.
pub struct MapHandle {
    current: ArcSwap<ShardMap>,
    node_set_changed: ChangeSignal,
}

impl MapHandle {
    /// Creates a handle with a first map.
    pub fn new(map: ShardMap) -> Self {
        Self { current: ArcSwap::from_pointee(map), node_set_changed: ChangeSignal::default() }
    }

    /// Returns the current map for a short use: the guard must not be held across an await.
    pub fn load(&self) -> Guard<Arc<ShardMap>> {
        self.current.load()
    }

    /// Returns the current map for a longer use.
    pub fn load_full(&self) -> Arc<ShardMap> {
        self.current.load_full()
    }

    /// Replaces the current map. The caller notifies the subscribers once its change is complete.
    pub fn publish(&self, map: ShardMap) {
        self.current.store(Arc::new(map));
    }

    /// Tells all subscribers that shards or nodes came or went.
    pub fn notify_node_set_changed(&self) {
        self.node_set_changed.notify();
    }

    /// Returns the signal by which shards report that their own nodes came or went.
    pub fn node_set_changed(&self) -> &ChangeSignal {
        &self.node_set_changed
    }

    /// Returns a subscriber that waits until shards or nodes come or go.
    pub fn subscribe(&self) -> ChangeSubscriber {
        self.node_set_changed.subscribe()
    }
}
