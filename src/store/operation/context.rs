//! The parts of a store that every operation uses.

use crate::{
    store::{
        consistency::{ChangedTo, Freshness, ReadRequirement, RecentChanges},
        inspection::{Sampler, ValueDigest},
        node::{
            Node,
            connection_class::{ConnectionClass, LargeKeys},
        },
        protocol::operation::OperationKind,
        shard::selection::PreferredNode,
        shard_map::{MapHandle, Route},
        topology::cluster::Cluster,
    },
    telemetry::metrics::Metrics,
    types::{Deadline, FullKey},
};
use std::sync::Arc;

/// The parts of a store that every operation uses.
pub struct OperationContext {
    /// The current shard map.
    pub map: Arc<MapHandle>,
    /// The last change of each key that this process made.
    pub recent_changes: RecentChanges,
    /// The keys whose values were large when they were last read or written.
    pub large_keys: Arc<LargeKeys>,
    /// The Redis Cluster whose redirections are followed; `None` with any other topology.
    pub cluster: Option<Arc<Cluster>>,
    /// The sampling of answers and changes for the inspection.
    pub sampler: Sampler,
    /// The metrics of the process.
    pub metrics: Arc<Metrics>,
}

impl OperationContext {
    /// Waits until the slots of a Redis Cluster are known, but no longer than one attempt.
    pub async fn wait_until_known(&self, deadline: Deadline) {
        if let Some(cluster) = &self.cluster {
            cluster.wait_until_known(deadline).await;
        }
    }

    /// Returns the shard and the hash of a key.
    pub fn route(&self, key: &FullKey<'_>) -> Route {
        self.map.load().route(key)
    }

    /// Returns the requirement that a read of a key with this hash has to meet.
    pub fn requirement(&self, hash: u64, freshness: Freshness) -> ReadRequirement {
        ReadRequirement { watch: self.sampler.watches.number(hash), ..self.recent_changes.requirement(hash, freshness) }
    }

    /// Returns the class of the connection for an operation on a key with this hash.
    pub fn connection_class(&self, hash: u64, kind: &OperationKind<'_>) -> ConnectionClass {
        match kind {
            OperationKind::Get(_) | OperationKind::GetAndTouch(_) => self.large_keys.class_for(hash),
            OperationKind::Set { bytes, .. } => {
                self.large_keys.record(hash, bytes.len());
                ConnectionClass::for_value_bytes(bytes.len())
            }
            _ => ConnectionClass::Default,
        }
    }

    /// Returns a guard that records a change of a key with this hash when it is dropped.
    pub fn change_guard(&self, hash: u64) -> ChangeGuard<'_> {
        self.recent_changes.begin(hash);
        ChangeGuard { changes: &self.recent_changes, hash, changed_to: ChangedTo::Unknown }
    }

    /// Observes an operation that succeeded: the inspection watches some keys that this process has changed.
    pub fn observe_change(&self, key: &FullKey<'_>, kind: &OperationKind<'_>) {
        match kind {
            OperationKind::Set { bytes, .. } => self.sampler.observe_change(key, || ValueDigest::of(Some(bytes))),
            OperationKind::Delete => self.sampler.observe_change(key, || ValueDigest::of(None)),
            // The new value is not known here.
            _ => {}
        }
    }

    /// Counts a read that another node answered than the preferred one.
    pub fn record_fallback(&self, preferred: Option<PreferredNode>, answered_by: &Node) {
        if let Some(cause) = preferred.and_then(|preferred| preferred.fallback(answered_by.id)) {
            self.metrics.fallbacks.count(cause);
        }
    }
}

/// Records a change when it is over, however it ended, also if its caller went away.
pub struct ChangeGuard<'a> {
    changes: &'a RecentChanges,
    hash: u64,
    changed_to: ChangedTo<'a>,
}

impl<'a> ChangeGuard<'a> {
    /// Sets the outcome of a change that was made, so that its value is recorded as well.
    pub fn succeed(&mut self, kind: &'a OperationKind<'_>) {
        self.changed_to = match kind {
            OperationKind::Set { bytes, if_absent: false, .. } => ChangedTo::Bytes(bytes),
            OperationKind::Delete => ChangedTo::Missing,
            _ => ChangedTo::Unknown,
        };
    }
}

impl Drop for ChangeGuard<'_> {
    fn drop(&mut self) {
        self.changes.end(self.hash, self.changed_to);
    }
}
