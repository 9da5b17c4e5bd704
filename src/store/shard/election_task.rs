//! The task that elects a shard's master again whenever one of its nodes changes.

use super::{
    candidacy::CandidacyState, election_result::ElectionResult, election_state::MasterElection, members::Members,
    redis_shard::Shard, standing::MasterStanding,
};
use crate::types::Address;
use std::sync::{MutexGuard, PoisonError};
use tokio::time::{Instant, timeout_at};

impl Shard {
    /// Follows every promotion. Never returns while the shard lives.
    pub async fn run(&self) {
        let mut changes = self.members.subscribe();
        loop {
            match self.run_election() {
                // At that time, a master that is held is accepted all the same.
                Some(due) => _ = timeout_at(due, changes.changed()).await,
                None => changes.changed().await,
            }
        }
    }

    /// Records that Sentinel or the Redis Cluster announced this node as master. The announcement counts as soon as the
    /// node itself says so, and until another node proves to have taken over.
    pub fn set_announced_master(&self, master: &Address) {
        if self.lock_election().set_announced_master(Some(master)) {
            if let Some(node) = self.members().find(master) {
                node.request_probe();
            }
            self.run_election();
        }
    }

    /// Clears the announced master: its source is not heard any more. From now on only the nodes' own roles count.
    pub fn clear_announced_master(&self) {
        let is_change = self.lock_election().set_announced_master(None);
        if is_change {
            self.run_election();
        }
    }

    /// Locks the election. The holder of the lock may replace the members.
    pub(super) fn lock_election(&self) -> MutexGuard<'_, MasterElection> {
        self.election.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Elects the master. Returns the time at which another election is due even if no node changes.
    fn run_election(&self) -> Option<Instant> {
        let mut election = self.lock_election();
        let members = self.members();
        let result = election.run(&members, Instant::now())?;
        let ElectionResult { before, elected, standing, .. } = result;
        let masters: Vec<&Address> = result.masters.iter().map(|master| &members.nodes()[*master].address).collect();
        if result.split_brain_began && standing == MasterStanding::Accepted {
            self.report_split_brain(&masters, result.masters.contains(&elected));
        }
        if result.is_demoted || result.awaits_answers {
            let others = members.nodes().iter().enumerate().filter(|(position, _)| *position != elected);
            others.for_each(|(_, node)| node.request_probe());
        }
        if let Some((candidate, CandidacyState::Waits { begins: true, .. })) = result.candidate {
            self.report_candidate(&members.nodes()[candidate].address, &members.nodes()[elected].address);
            self.masters_without_data.count();
        }
        if elected != before {
            self.report_promotion(
                &members.nodes()[before].address,
                &members.nodes()[elected].address,
                result.is_unproven(),
            );
            self.promotions.count();
        }
        if result.lost_data {
            self.masters_without_data.count();
        }
        if standing != members.standing() && (elected == before || standing != MasterStanding::Accepted) {
            let successor = result.absent_successor.map(|node| &members.nodes()[node].address);
            self.report_standing(standing, &members.nodes()[elected].address, &masters, successor);
        }
        if elected != before || standing != members.standing() {
            self.members.publish(Members::new(members.nodes().to_vec(), Some(elected)).with_standing(standing));
        }
        let expects_promotion = result.is_demoted
            || result.awaits_answers
            || standing == MasterStanding::Held
            || !members.nodes()[elected].is_up();
        for (position, node) in members.nodes().iter().enumerate() {
            node.set_follows_other(position != elected);
            node.set_promotion_expected(expects_promotion);
        }
        // Only now, because a node that is recorded as elected may be written to.
        if result.record(&members) {
            self.notify_changed();
        }
        result.due
    }
}
