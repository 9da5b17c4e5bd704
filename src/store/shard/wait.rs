//! Waits for a node of a shard: to read from, to write to, or one with a certain address.

use super::{Attempts, Shard, selection::Choice};
use crate::{
    store::{
        consistency::ReadRequirement,
        error::{NodeError, StoreError},
        node::Node,
    },
    types::{Address, Deadline},
};
use std::sync::Arc;
use tokio::time::timeout_at;

impl Shard {
    /// Chooses the node to read from, see [`super::members::Members::choose`]. While there is none but a connection is
    /// being made, that is waited for.
    pub async fn reader(
        &self,
        requirement: &ReadRequirement,
        attempts: &Attempts,
        deadline: Deadline,
    ) -> Result<Choice, StoreError> {
        let found = self.wait_until(
            deadline,
            || Some(self.members.load().choose(requirement, attempts)?.cloned()),
            || self.may_become_readable(attempts),
        );
        found.await.ok_or_else(|| {
            self.request_reconnects();
            self.no_reader_error(attempts, deadline)
        })
    }

    /// Returns the node to write to, once it is connected. Fails at once if it is known that it is not; after a node
    /// refused the write, another one is waited for, because it may just be taking over.
    pub async fn writer(&self, attempts: &Attempts, deadline: Deadline) -> Result<Arc<Node>, StoreError> {
        let found = self.wait_until(
            deadline,
            || self.members.load().master().filter(|node| node.is_up() && !attempts.has_tried(node)).cloned(),
            || attempts.last().is_some() || self.members.load().master().is_none_or(|master| master.is_connecting()),
        );
        found.await.ok_or_else(|| {
            self.request_reconnects();
            self.write_failure(attempts.last().cloned().unwrap_or(NodeError::NotConnected))
        })
    }

    /// Returns the node with this address, once it is connected, whatever its role.
    pub async fn node(&self, address: &Address, deadline: Deadline) -> Result<Arc<Node>, NodeError> {
        let found = self.wait_until(
            deadline,
            || self.members.load().find(address).filter(|node| node.is_up()).cloned(),
            || self.members.load().find(address).is_some_and(|node| node.is_connecting()),
        );
        found.await.ok_or(NodeError::NotConnected)
    }

    /// Returns true if a node may become readable that is not readable now. A node that is connected counts, too: its
    /// role may just be changing.
    fn may_become_readable(&self, attempts: &Attempts) -> bool {
        let members = self.members.load();
        let was_busy = matches!(attempts.last(), Some(NodeError::Busy));
        members.nodes().is_empty()
            || members.nodes().iter().any(|node| {
                let state = node.state();
                !attempts.is_excluded(node) && (state.is_connecting() || (state.is_up() && !was_busy))
            })
    }

    /// Makes all lost connections of the shard reconnect soon.
    fn request_reconnects(&self) {
        self.members.load().nodes().iter().for_each(|node| node.request_reconnect());
    }

    /// Waits, no longer than one attempt, until `find` returns something or `may_succeed` returns false.
    async fn wait_until<T>(
        &self,
        deadline: Deadline,
        find: impl Fn() -> Option<T>,
        may_succeed: impl Fn() -> bool,
    ) -> Option<T> {
        let until = deadline.attempt(self.attempt_timeout).instant();
        if let Some(found) = find() {
            return Some(found);
        }
        // Subscribed before the next look, so that no change falls between the look and the wait.
        let mut changes = self.subscribe();
        loop {
            if let Some(found) = find() {
                return Some(found);
            }
            if self.has_no_nodes_ever() || !may_succeed() || timeout_at(until, changes.changed()).await.is_err() {
                return find();
            }
        }
    }
}
