//! The task that elects a shard's master again whenever one of its nodes changes.

use super::{
    election_state::{ElectionResult, MasterElection},
    members::Members,
    redis_shard::Shard,
};
use crate::{telemetry::events::EventKind, types::Address};
use std::sync::{MutexGuard, PoisonError};

impl Shard {
    /// Follows every promotion. Never returns while the shard lives.
    pub async fn run(&self) {
        let mut changes = self.members.subscribe();
        loop {
            self.run_election();
            changes.changed().await;
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

    fn run_election(&self) {
        let mut election = self.lock_election();
        let members = self.members();
        let Some(result) = election.run(&members) else { return };
        let ElectionResult { before, elected, .. } = result;
        if result.split_brain_began {
            self.report_split_brain(&members);
        }
        if result.is_demoted {
            let others = members.nodes().iter().enumerate().filter(|(position, _)| *position != elected);
            others.for_each(|(_, node)| node.request_probe());
        }
        if elected != before {
            self.report_promotion(&members.nodes()[before].address, &members.nodes()[elected].address);
            self.promotions.count();
            self.members.publish(Members::new(members.nodes().to_vec(), Some(elected)));
        }
        let is_lost = !members.nodes()[elected].is_up();
        for (position, node) in members.nodes().iter().enumerate() {
            node.set_follows_other(position != elected);
            node.set_promotion_expected(is_lost || result.is_demoted);
        }
    }

    fn report_split_brain(&self, members: &Members) {
        let shard = self.name();
        let master = members.master().map(|master| master.address.to_string());
        tracing::warn!(
            shard = &*shard,
            master,
            "two nodes of shard \"{shard}\" call themselves master; one of them is used"
        );
        let text = format!("shard {shard}: two nodes call themselves master; one of them is used");
        self.events().record(EventKind::SplitBrain, text);
    }

    fn report_promotion(&self, old: &Address, new: &Address) {
        let shard = self.name();
        tracing::warn!(shard = &*shard, %old, %new, "writes of shard \"{shard}\" go to {new} now, no longer to {old}");
        let text = format!("shard {shard}: writes go to {new} now, no longer to {old}");
        self.events().record(EventKind::Promotion, text);
    }
}
