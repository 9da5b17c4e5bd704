//! The publication of a shard's members, and waits for them to change.

use super::members::Members;
use crate::store::change_signal::{ChangeSignal, ChangeSubscriber};
use arc_swap::{ArcSwap, Guard};
use std::sync::Arc;
use tokio::time::{Instant, timeout_at};

/// The place where a shard's current members are published.
pub struct MemberCell {
    published: ArcSwap<Members>,
    /// Notified of every change of the members, and by each of them of its own changes.
    changed: ChangeSignal,
}

impl MemberCell {
    /// Creates a cell without members. `changed` is notified by nodes that change.
    pub fn new(changed: &ChangeSignal) -> Self {
        Self { published: ArcSwap::default(), changed: changed.clone() }
    }

    /// Returns the members for a short use: the guard must not be held across an await.
    pub fn load(&self) -> Guard<Arc<Members>> {
        self.published.load()
    }

    /// Returns the members for a longer use.
    pub fn load_full(&self) -> Arc<Members> {
        self.published.load_full()
    }

    /// Replaces the members. Invariant: the caller holds the lock of the shard's election.
    pub fn publish(&self, members: Members) {
        self.published.store(Arc::new(members));
        self.changed.notify();
    }

    /// Returns a subscriber that waits for every change of the members and of each node.
    pub fn subscribe(&self) -> ChangeSubscriber {
        self.changed.subscribe()
    }

    /// Waits until `find` returns a value, `may_succeed` returns false, or the time is `until`.
    pub async fn wait_until<T>(
        &self,
        until: Instant,
        find: impl Fn(&Members) -> Option<T>,
        may_succeed: impl Fn(&Members) -> bool,
    ) -> Option<T> {
        // Subscribed before the first look, so that no change falls between the look and the wait.
        let mut changes = self.subscribe();
        loop {
            if let Some(found) = find(&self.load()) {
                return Some(found);
            }
            if !may_succeed(&self.load()) || timeout_at(until, changes.changed()).await.is_err() {
                return find(&self.load());
            }
        }
    }
}
