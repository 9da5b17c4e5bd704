//! Which of a shard's nodes is its master: asked again whenever one of them changes.

use crate::{
    store::{
        node::replication::{Role, Standing},
        shard::{Decision, Shard},
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
    pub async fn watch_roles(&self) {
        let mut changes = self.changes();
        loop {
            self.elect();
            if changes.changed().await.is_err() {
                return;
            }
        }
    }

    /// Takes the word of whoever decides over failovers that this node is the master. It counts as soon as the node
    /// itself says so, and until another one proves to have taken over: to repeat it then is no news.
    pub fn appoint(&self, master: &Address) {
        if self.set_appointed(Some(master)) {
            if let Some(node) = self.members().find(master) {
                node.doubt();
            }
            self.elect();
        }
    }

    /// Takes that word back: the one who gave it is not heard any more. From now on only roles count.
    pub fn dismiss(&self) {
        if self.set_appointed(None) {
            self.elect();
        }
    }

    /// True if that is a change.
    fn set_appointed(&self, master: Option<&Address>) -> bool {
        let mut decision = self.decide();
        if decision.appointed.as_ref() == master || (master.is_some() && decision.overruled.as_ref() == master) {
            return false;
        }
        if master.is_some() {
            decision.overruled = None;
        }
        decision.appointed = master.cloned();
        true
    }

    pub(super) fn decide(&self) -> MutexGuard<'_, Decision> {
        self.decision.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn elect(&self) {
        let mut decision = self.decide();
        let members = self.members();
        let (nodes, Some(before)) = (members.nodes(), members.master_position()) else { return };
        let vouched = |mut standing: Standing| {
            let is_vouched = standing.role == Role::Master && decision.vouched.as_ref() == Some(&standing.history);
            standing.promotion_seen |= is_vouched;
            standing
        };
        let standings: Vec<_> = nodes.iter().map(|node| node.standing().map(vouched)).collect();
        let is_master = |node: &usize| standings[*node].as_ref().is_some_and(|standing| standing.role == Role::Master);
        let appointed = decision.appointed.as_ref();
        let appointed = appointed.and_then(|address| nodes.iter().position(|node| node.address == *address));
        let is_down = !nodes[before].is_up() && !nodes[before].is_connecting();
        let incumbent = Incumbent { node: before, history: &decision.history, is_down };
        let now = appointed.filter(is_master).unwrap_or_else(|| elect(incumbent, &standings));
        if now != before && appointed == Some(before) {
            decision.overruled = decision.appointed.take().or_else(|| decision.overruled.take());
        }
        if let Some(master) = standings[now].as_ref().filter(|standing| standing.role == Role::Master) {
            decision.history.clone_from(&master.history);
            if appointed == Some(now) {
                decision.vouched = Some(master.history.clone());
            }
        }
        for (node, standing) in nodes.iter().zip(&standings) {
            // One that follows another master has that one's data. While nothing is known, nothing is held against it.
            // One that is gone comes back under the verdict that it had.
            if let Some(standing) = standing {
                node.set_in_line(decision.history.is_empty() || standing.history == decision.history);
            }
        }
        self.note_contest(&mut decision, &members, (0..nodes.len()).filter(is_master).count() > 1);
        if now == before && standings[now].as_ref().is_some_and(|standing| standing.role != Role::Master) {
            // Demoted, and nobody is known to have taken over yet.
            nodes.iter().filter(|node| node.id != nodes[now].id).for_each(|node| node.doubt());
        }
        if now != before {
            let (old, new) = (&nodes[before].address, &nodes[now].address);
            tracing::warn!(shard = &*self.name(), %old, %new, "writes go to another master");
            let text = format!("shard {}: writes go to {new} now, no longer to {old}", self.name());
            self.events().note(EventKind::Promotion, text);
            self.promotions.count();
            self.replace_members(Members::new(nodes.to_vec(), Some(now)));
        }
    }

    /// Reports two masters at once, once.
    fn note_contest(&self, decision: &mut Decision, members: &Members, contested: bool) {
        if contested && !decision.contested {
            let master = members.master().map(|master| master.address.to_string());
            tracing::warn!(shard = &*self.name(), master, "two nodes call themselves master; one of them is used");
            let text = format!("shard {}: two nodes call themselves master; one of them is used", self.name());
            self.events().note(EventKind::Contested, text);
        }
        decision.contested = contested;
    }
}
