//! The task that elects a shard's master again whenever one of its nodes changes.

use super::{
    election_state::{ElectionResult, MasterElection},
    members::Members,
    redis_shard::Shard,
    standing::MasterStanding,
};
use crate::{telemetry::events::EventKind, types::Address};
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
        if result.split_brain_began && standing == MasterStanding::Accepted {
            self.report_split_brain(&members.nodes()[elected].address);
        }
        if result.is_demoted || result.awaits_answers {
            let others = members.nodes().iter().enumerate().filter(|(position, _)| *position != elected);
            others.for_each(|(_, node)| node.request_probe());
        }
        if elected != before {
            self.report_promotion(&members.nodes()[before].address, &members.nodes()[elected].address);
            self.promotions.count();
        }
        if result.lost_data {
            self.masters_without_data.count();
        }
        if standing != members.standing() && (elected == before || standing != MasterStanding::Accepted) {
            self.report_standing(standing, &members.nodes()[elected].address);
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

    fn report_standing(&self, standing: MasterStanding, master: &Address) {
        let shard = self.name();
        let (kind, text) = match standing {
            MasterStanding::Accepted => {
                tracing::info!(shard = &*shard, %master, "writes of shard \"{shard}\" go to {master} again");
                (EventKind::MasterAccepted, format!("shard {shard}: writes go to {master} again"))
            }
            MasterStanding::Contested => {
                tracing::warn!(
                    shard = &*shard, %master,
                    "two nodes of shard \"{shard}\" call themselves master, {master} and another one, and nothing proves \
                     which of them was promoted last: writes and strict reads are refused until one of them is demoted or \
                     stopped"
                );
                let text = "two nodes call themselves master, and neither is proven; writes are refused";
                (EventKind::SplitBrain, format!("shard {shard}: {text}"))
            }
            MasterStanding::Held => {
                tracing::error!(
                    shard = &*shard, %master,
                    "master {master} of shard \"{shard}\" came back without data that its replicas have: writes are \
                     refused and replicas answer the reads; promote a replica to keep the data (REPLICAOF NO ONE)"
                );
                let text = format!("master {master} came back without data that its replicas have; writes are refused");
                (EventKind::MasterHeld, format!("shard {shard}: {text}"))
            }
        };
        self.events().record(kind, text);
    }

    fn report_split_brain(&self, master: &Address) {
        let shard = self.name();
        tracing::warn!(
            shard = &*shard, %master,
            "two nodes of shard \"{shard}\" call themselves master; writes go to {master}"
        );
        let text = format!("shard {shard}: two nodes call themselves master; {master} is used");
        self.events().record(EventKind::SplitBrain, text);
    }

    fn report_promotion(&self, old: &Address, new: &Address) {
        let shard = self.name();
        tracing::warn!(shard = &*shard, %old, %new, "writes of shard \"{shard}\" go to {new} now, no longer to {old}");
        let text = format!("shard {shard}: writes go to {new} now, no longer to {old}");
        self.events().record(EventKind::Promotion, text);
    }
}
