//! Which of a shard's nodes is its master: asked again whenever one of them changes.

use crate::{
    store::{
        node::replication::{ReplicationInfo, ReplicationRole},
        shard::{MasterElection, Shard},
        shard::{
            election::{Incumbent, elect},
            members::Members,
        },
    },
    telemetry::events::EventKind,
    types::Address,
};
use std::sync::{MutexGuard, PoisonError};

impl Shard {
    /// Follows whoever is promoted, for ever.
    pub async fn run(&self) {
        let mut changes = self.subscribe();
        loop {
            self.run_election();
            if changes.changed().await.is_err() {
                return;
            }
        }
    }

    /// Takes the word of whoever decides over failovers that this node is the master. It counts as soon as the node
    /// itself says so, and until another one proves to have taken over: to repeat it then is no news.
    pub fn set_announced_master(&self, master: &Address) {
        if self.replace_announced_master(Some(master)) {
            if let Some(node) = self.members().find(master) {
                node.request_probe();
            }
            self.run_election();
        }
    }

    /// Takes that word back: the one who gave it is not heard any more. From now on only roles count.
    pub fn clear_announced_master(&self) {
        if self.replace_announced_master(None) {
            self.run_election();
        }
    }

    /// True if that is a change.
    fn replace_announced_master(&self, master: Option<&Address>) -> bool {
        let mut decision = self.lock_election();
        if decision.announced_master.as_ref() == master || (master.is_some() && decision.superseded.as_ref() == master)
        {
            return false;
        }
        if master.is_some() {
            decision.superseded = None;
        }
        decision.announced_master = master.cloned();
        true
    }

    pub(super) fn lock_election(&self) -> MutexGuard<'_, MasterElection> {
        self.election.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run_election(&self) {
        let mut decision = self.lock_election();
        let members = self.members();
        let (nodes, Some(before)) = (members.nodes(), members.master_position()) else { return };
        let vouched = |mut standing: ReplicationInfo| {
            let is_vouched = standing.role == ReplicationRole::Master
                && decision.trusted_id.as_ref() == Some(&standing.replication_id);
            standing.promotion_seen |= is_vouched;
            standing
        };
        let standings: Vec<_> = nodes.iter().map(|node| node.replication_info().map(vouched)).collect();
        let is_master =
            |node: &usize| standings[*node].as_ref().is_some_and(|standing| standing.role == ReplicationRole::Master);
        let appointed = decision.announced_master.as_ref();
        let appointed = appointed.and_then(|address| nodes.iter().position(|node| node.address == *address));
        let is_down = !nodes[before].is_up() && !nodes[before].is_connecting();
        let incumbent = Incumbent { node: before, history: &decision.replication_id, is_down };
        let now = appointed.filter(is_master).unwrap_or_else(|| elect(incumbent, &standings));
        if now != before && appointed == Some(before) {
            decision.superseded = decision.announced_master.take().or_else(|| decision.superseded.take());
        }
        if let Some(master) = standings[now].as_ref().filter(|standing| standing.role == ReplicationRole::Master) {
            decision.replication_id.clone_from(&master.replication_id);
            if appointed == Some(now) {
                decision.trusted_id = Some(master.replication_id.clone());
            }
        }
        for (node, standing) in nodes.iter().zip(&standings) {
            // One that follows another master has that one's data. While nothing is known, nothing is held against it.
            // One that is gone comes back under the verdict that it had.
            if let Some(standing) = standing {
                node.set_same_lineage(
                    decision.replication_id.is_empty() || standing.replication_id == decision.replication_id,
                );
            }
        }
        self.record_split_brain(&mut decision, &members, (0..nodes.len()).filter(is_master).count() > 1);
        if now == before && standings[now].as_ref().is_some_and(|standing| standing.role != ReplicationRole::Master) {
            // Demoted, and nobody is known to have taken over yet.
            nodes.iter().filter(|node| node.id != nodes[now].id).for_each(|node| node.request_probe());
        }
        if now != before {
            let (old, new) = (&nodes[before].address, &nodes[now].address);
            tracing::warn!(shard = &*self.name(), %old, %new, "writes go to another master");
            let text = format!("shard {}: writes go to {new} now, no longer to {old}", self.name());
            self.events().record(EventKind::Promotion, text);
            self.promotions.count();
            self.replace_members(Members::new(nodes.to_vec(), Some(now)));
        }
    }

    /// Reports two masters at once, once.
    fn record_split_brain(&self, decision: &mut MasterElection, members: &Members, contested: bool) {
        if contested && !decision.split_brain {
            let master = members.master().map(|master| master.address.to_string());
            tracing::warn!(shard = &*self.name(), master, "two nodes call themselves master; one of them is used");
            let text = format!("shard {}: two nodes call themselves master; one of them is used", self.name());
            self.events().record(EventKind::SplitBrain, text);
        }
        decision.split_brain = contested;
    }
}
