//! Waits for a node of a shard: to read from, to write to, or one with a certain address.

use super::{attempts::Attempts, members::Members, redis_shard::Shard, selection::Reader, standing::MasterStanding};
use crate::{
    ring::rendezvous_score,
    store::{
        consistency::ReadRequirement,
        error::{NodeError, StoreError},
        node::{Node, NodeId},
        protocol::{refusal::ServerRefusal, server_text::ServerText},
    },
    types::{Address, Deadline, WorkerArc},
};
use std::{cmp::Reverse, sync::Arc};

impl Shard {
    /// Chooses the node to read from, see [`Members::choose`]. Waits while no node is readable but one may become so: for
    /// one attempt, and until the deadline if the master is just being connected to again, or changes.
    pub async fn reader(
        &self,
        requirement: &ReadRequirement,
        attempts: &Attempts,
        deadline: Deadline,
    ) -> Result<Reader, StoreError> {
        // Mostly there is nothing to wait for, and then no clock is read.
        if let Some(reader) = self.members.load().choose_reader(requirement, attempts) {
            return Ok(reader);
        }
        Box::pin(self.wait_for_reader(requirement, attempts, deadline)).await
    }

    async fn wait_for_reader(
        &self,
        requirement: &ReadRequirement,
        attempts: &Attempts,
        deadline: Deadline,
    ) -> Result<Reader, StoreError> {
        let find = |members: &Members| members.choose_reader(requirement, attempts);
        if !requirement.master_only && !attempts.has_missed() {
            // A replica may have the change by now.
            self.members.load().probe_replicas();
        }
        let mut found =
            self.wait_until(deadline, find, |members| members.may_become_readable(requirement, attempts)).await;
        if found.is_none() {
            // The master may be the only node that has the last changes of the key.
            let until = deadline.instant();
            found = self.members.wait_until(until, find, |members| members.awaits_master(requirement, attempts)).await;
        }
        found.ok_or_else(|| {
            let members = self.members.load();
            members.request_reconnects();
            let refusal = members.standing().refusal(self.name()).filter(|_| members.refuses(requirement));
            refusal.unwrap_or_else(|| self.no_reader_error(attempts, deadline))
        })
    }

    /// Chooses another node than `first` that may answer the read now. The choice is made again, because `first` has kept
    /// the read waiting and the state of the nodes may have changed meanwhile.
    pub fn hedge_target(
        &self,
        requirement: &ReadRequirement,
        attempts: &Attempts,
        first: NodeId,
    ) -> Option<WorkerArc<Node>> {
        self.members.load().hedge_target(requirement, attempts, first)
    }

    /// Waits for another node than `first` that may answer the read. Only `first` may now, because the replicas are not
    /// known to have the last change: they are asked how far they are.
    pub async fn wait_for_hedge_target(
        &self,
        requirement: &ReadRequirement,
        attempts: &Attempts,
        first: NodeId,
        deadline: Deadline,
    ) -> Option<WorkerArc<Node>> {
        let members = self.members();
        if requirement.master_only || attempts.has_missed() {
            return None;
        }
        members.replicas().next()?;
        members.probe_replicas();
        let find = |members: &Members| members.hedge_target(requirement, attempts, first);
        self.members.wait_until(deadline.instant(), find, |_| true).await
    }

    /// Returns the other replicas than `first` that are in touch with their master, whether or not they are known to have the
    /// last changes, in the order in which reads of a key prefer them. Returns none if only the master may answer.
    pub fn unproven_replicas(
        &self,
        requirement: &ReadRequirement,
        attempts: &Attempts,
        first: NodeId,
    ) -> Vec<WorkerArc<Node>> {
        let members = self.members.load();
        if requirement.master_only || attempts.has_missed() || members.refuses(requirement) {
            return Vec::new();
        }
        let readable = members.replicas().filter(|replica| {
            let state = replica.state();
            replica.id != first && state.is_readable_replica() && !state.is_slow() && !attempts.has_tried(replica)
        });
        let mut replicas: Vec<_> = readable.map(|replica| members.handle(replica)).collect();
        replicas.sort_by_key(|replica| Reverse(rendezvous_score(requirement.hash, replica.seed)));
        replicas
    }

    /// Records that a node did not answer a read before another node did, which was asked later.
    pub fn record_lost_hedge(&self, node: NodeId) {
        // The master is read only where no replica can be.
        if let Some(replica) = self.members.load().replicas().find(|replica| replica.id == node) {
            replica.record_lost_hedge();
        }
    }

    /// Returns the master, once it is connected. Fails at once if the master is down or is not accepted. A write that a
    /// node has refused waits longer, because another node may just be taking over.
    pub async fn writer(&self, attempts: &Attempts, deadline: Deadline) -> Result<WorkerArc<Node>, StoreError> {
        // Mostly there is nothing to wait for, and then no clock is read.
        if let Some(master) = self.members.load().writer_handle(attempts) {
            return Ok(master);
        }
        Box::pin(self.wait_for_writer(attempts, deadline)).await
    }

    async fn wait_for_writer(&self, attempts: &Attempts, deadline: Deadline) -> Result<WorkerArc<Node>, StoreError> {
        loop {
            let found = self.wait_until(
                deadline,
                |members| members.writer_handle(attempts),
                |members| members.may_become_writable(attempts),
            );
            if let Some(master) = found.await {
                return Ok(master);
            }
            let is_expected = self.is_move_expected(attempts) || self.members.load().expects_master(attempts);
            if !is_expected || deadline.has_passed() {
                break;
            }
        }
        let members = self.members.load();
        members.request_reconnects();
        let refusal = members.standing().refusal(self.name());
        Err(refusal.unwrap_or_else(|| self.write_failure(members.last_error(attempts))))
    }

    /// Returns true if a replica refused a write that was meant for the master, whose name may move soon.
    fn is_move_expected(&self, attempts: &Attempts) -> bool {
        attempts.last().is_some_and(NodeError::is_demotion)
            && self.members.load().master().is_some_and(|master| master.is_move_expected())
    }

    /// Returns the node with this address, once it is connected, whatever its role.
    pub async fn node(&self, address: &Address, deadline: Deadline) -> Result<WorkerArc<Node>, NodeError> {
        let found = self.wait_until(
            deadline,
            |members| members.find(address).filter(|node| node.is_up()).map(|node| members.handle(node)),
            |members| members.find(address).is_some_and(|node| node.is_connecting()),
        );
        found.await.ok_or(NodeError::NotConnected)
    }

    /// Waits until `find` returns a value, but no longer than one attempt. Gives up once `may_succeed` returns false,
    /// and at once if the shard never has nodes.
    async fn wait_until<T>(
        &self,
        deadline: Deadline,
        find: impl Fn(&Members) -> Option<T>,
        may_succeed: impl Fn(&Members) -> bool,
    ) -> Option<T> {
        // Mostly there is nothing to wait for, and then no clock is read.
        if let Some(found) = find(&self.members.load()) {
            return Some(found);
        }
        let until = deadline.attempt(self.attempt_timeout).instant();
        let found = self.members.wait_until(until, find, |members| {
            let waits = !self.has_no_nodes_ever() && may_succeed(members);
            if waits {
                // The back-off must not use up the time of the request.
                members.request_reconnects();
            }
            waits
        });
        found.await
    }
}

impl Members {
    /// Returns the master if it takes a write now.
    fn writer(&self, attempts: &Attempts) -> Option<&Arc<Node>> {
        self.writable_master().filter(|node| node.state().is_writable_master() && !attempts.has_tried(node))
    }

    /// Returns a handle of the calling worker on the master if it takes a write now.
    fn writer_handle(&self, attempts: &Attempts) -> Option<WorkerArc<Node>> {
        self.writer(attempts).map(|master| self.handle(master))
    }

    /// Returns true if a node may become writable. After a refusal another node may just be taking over. A master that is
    /// loading its data may take long.
    fn may_become_writable(&self, attempts: &Attempts) -> bool {
        let may_take_over = match self.standing() {
            MasterStanding::Accepted => self.master().is_none_or(|master| {
                let state = master.state();
                state.is_connecting() || (state.awaits_election() && !state.is_loading())
            }),
            MasterStanding::Deposed => self.replicas().any(|node| node.is_connecting()),
            MasterStanding::Contested | MasterStanding::Held => false,
        };
        attempts.last().is_some() || may_take_over
    }

    /// Returns true if a node may become readable that is not readable now. A node that is connected counts, too: its
    /// role may just be changing.
    fn may_become_readable(&self, requirement: &ReadRequirement, attempts: &Attempts) -> bool {
        let was_busy = matches!(attempts.last(), Some(NodeError::Busy));
        if self.refuses(requirement) || (requirement.master_only && self.is_master_loading()) {
            return false;
        }
        self.nodes().is_empty()
            || self.nodes().iter().any(|node| {
                let state = node.state();
                !attempts.is_excluded(node) && (state.is_connecting() || (state.is_up() && !was_busy))
            })
    }

    /// Returns true if the master may answer soon: it is just being connected to again, which is then done at once, or it
    /// changes.
    fn awaits_master(&self, requirement: &ReadRequirement, attempts: &Attempts) -> bool {
        let awaited = self.readable_master().filter(|_| !self.refuses(requirement));
        awaited.is_some_and(|master| {
            master.request_reconnect();
            (master.is_connecting() && !attempts.is_excluded(master)) || self.is_master_changing()
        })
    }

    /// Returns another node than `first` that may answer the read now.
    fn hedge_target(
        &self,
        requirement: &ReadRequirement,
        attempts: &Attempts,
        first: NodeId,
    ) -> Option<WorkerArc<Node>> {
        let choice = self.choose(requirement, attempts)?;
        let mut nodes = [Some(choice.node), choice.alternative].into_iter().flatten();
        nodes.find(|node| node.id != first).map(|node| self.handle(node))
    }

    /// Returns true if a write that has found no master may find one soon, because the master changes.
    fn expects_master(&self, attempts: &Attempts) -> bool {
        self.is_master_changing() && self.may_become_writable(attempts)
    }

    /// Returns true if the master was demoted a moment ago, so that its successor is just taking over, or if it came back
    /// and is just compared with the other nodes.
    fn is_master_changing(&self) -> bool {
        self.master().is_some_and(|master| {
            let state = master.state();
            master.awaits_successor() || (state.is_up() && state.awaits_election() && !state.is_loading())
        })
    }

    /// Returns true if the master is reading its data from a file, which may take long.
    fn is_master_loading(&self) -> bool {
        self.master().is_some_and(|master| master.is_up() && master.state().is_loading())
    }

    /// Returns the last error of an operation for which no node is left. Without one, the state of the master is the reason.
    pub(super) fn last_error(&self, attempts: &Attempts) -> NodeError {
        if let Some(error) = attempts.last() {
            return error.clone();
        }
        match self.master().map(|master| master.state()) {
            Some(state) if state.is_up() && state.is_loading() => NodeError::Refused {
                refusal: ServerRefusal::Loading,
                detail: ServerText::new("it is reading its data"),
            },
            Some(state) if state.is_up() && state.is_replica() => NodeError::NotMaster,
            _ => NodeError::NotConnected,
        }
    }

    /// Asks all replicas how far they are.
    fn probe_replicas(&self) {
        self.replicas().for_each(|replica| replica.request_probe());
    }

    /// Makes all lost connections reconnect soon.
    fn request_reconnects(&self) {
        self.nodes().iter().for_each(|node| node.request_reconnect());
    }
}

#[cfg(test)]
mod tests;
