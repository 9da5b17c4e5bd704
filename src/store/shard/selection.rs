//! The choice of the node that a read is sent to.

mod best_two;

use super::{attempts::Attempts, members::Members};
use crate::{
    ring::rendezvous_score,
    store::{
        consistency::{LogicalTime, ReadRequirement},
        node::{Node, NodeId, call_timeout::Abandon, state::NodeState},
    },
    telemetry::metrics::Fallback,
    types::WorkerArc,
};
use best_two::BestTwo;
use std::sync::Arc;

/// The node that a read is sent to, and everything else that follows from the same look at the shard's nodes.
pub struct Choice<'m> {
    /// The node to ask.
    pub node: &'m Arc<Node>,
    /// The node to ask next; `None` if no other node may answer the read now.
    pub alternative: Option<&'m Arc<Node>>,
    /// The difference from the preferred node; `None` where an answer of any node is no fallback.
    pub fallback: Option<PreferredNode>,
}

/// A choice that is kept while its node is asked.
pub struct Reader {
    /// The node to ask.
    pub node: WorkerArc<Node>,
    /// The condition under which the node is not waited for any longer.
    pub abandon: Abandon,
    /// The difference from the preferred node; `None` where an answer of any node is no fallback.
    pub fallback: Option<PreferredNode>,
}

/// The node that answers a read as long as nothing is wrong.
#[derive(Clone, Copy)]
pub struct PreferredNode {
    node: NodeId,
    /// The reason why another node answers.
    missing: Fallback,
}

impl PreferredNode {
    /// Returns the reason for the fallback if another node than the preferred one answered.
    pub fn fallback(&self, answered_by: NodeId) -> Option<Fallback> {
        (answered_by != self.node).then_some(self.missing)
    }
}

impl Choice<'_> {
    /// Returns the condition under which the node is not waited for any longer: the last node that is left has all the time until
    /// the deadline.
    pub fn abandon(&self) -> Abandon {
        if self.alternative.is_some() { Abandon::WhenUnresponsive } else { Abandon::WhenHung }
    }
}

impl Members {
    /// Chooses the node to read from: the fresh replica with the highest rendezvous score, else the master. A replica
    /// that is slow comes after the others. While the master is lost, replicas serve the data that they have, for as long
    /// as the settings allow. A master whose connection is just being opened again is not lost: its changes would be
    /// missing. Returns `None` if no node may answer now, or if the standing of the master refuses the read.
    pub fn choose(&self, requirement: &ReadRequirement, attempts: &Attempts) -> Option<Choice<'_>> {
        if self.refuses(requirement) {
            return None;
        }
        let selection = Selection {
            members: self,
            requirement,
            attempts,
            master_only: requirement.master_only || attempts.has_missed(),
        };
        selection.choose()
    }

    /// Chooses as [`Members::choose`] does, for the calling worker to keep.
    pub fn choose_reader(&self, requirement: &ReadRequirement, attempts: &Attempts) -> Option<Reader> {
        let choice = self.choose(requirement, attempts)?;
        Some(Reader { node: self.handle(choice.node), abandon: choice.abandon(), fallback: choice.fallback })
    }
}

/// One choice in the making.
struct Selection<'m, 'r> {
    members: &'m Members,
    requirement: &'r ReadRequirement,
    attempts: &'r Attempts,
    /// No replica may answer.
    master_only: bool,
}

impl<'m> Selection<'m, '_> {
    fn choose(&self) -> Option<Choice<'m>> {
        let (mut preferred, mut fresh) = (BestTwo::default(), BestTwo::default());
        if !self.master_only {
            for replica in self.members.replicas() {
                let (score, state) = (self.score(replica), replica.state());
                preferred.insert((true, score), replica);
                if self.is_fresh(&state) && !self.attempts.has_tried(replica) {
                    fresh.insert((!state.is_slow(), score), replica);
                }
            }
        }
        let master = self.master();
        let (node, alternative) = match (fresh.nodes(), master) {
            ((Some(node), Some(other)), _) => (node, Some(other)),
            ((Some(node), None), Some(master)) => (node, Some(master)),
            ((Some(node), None), None) => (node, self.outdated(self.is_master_unreadable(), Some(node.id)).nodes().0),
            // The master is readable, so it counts as unreadable only once it has failed as well.
            ((None, _), Some(master)) => (master, self.outdated(self.attempts.all_failed(), None).nodes().0),
            ((None, _), None) => {
                let (node, other) = self.outdated(self.is_master_unreadable(), None).nodes();
                (node?, other)
            }
        };
        let preferred = preferred.nodes().0.or_else(|| self.members.master());
        Some(Choice {
            node,
            alternative,
            fallback: preferred.and_then(|preferred| self.preferred(preferred, fresh.nodes().0)),
        })
    }

    fn score(&self, replica: &Node) -> u64 {
        rendezvous_score(self.requirement.hash, replica.seed)
    }

    /// Returns true if a replica is in touch with its master and has all changes that the read has to show.
    fn is_fresh(&self, replica: &NodeState) -> bool {
        replica.is_readable_replica() && replica.has_replicated_up_to(self.requirement.since)
    }

    /// Returns the master if it may answer the read.
    fn master(&self) -> Option<&'m Arc<Node>> {
        let must_be_proven = self.requirement.strict || self.master_only;
        self.members.readable_master().filter(|master| {
            let state = master.state();
            let has_changes = self.requirement.since == LogicalTime::ZERO || state.has_own_changes();
            let may_answer = if must_be_proven { state.may_be_master() } else { has_changes };
            !self.attempts.has_tried(master) && state.is_readable_master() && may_answer
        })
    }

    /// Returns true if there is no master to read from now, which excuses that a replica is not in touch with it.
    fn is_master_unreadable(&self) -> bool {
        self.members.readable_master().is_none_or(|master| {
            !master.state().is_readable_master() || (self.attempts.all_failed() && self.attempts.has_tried(master))
        })
    }

    /// Returns true if there is no master, and none is just being connected to again, which excuses that recent changes
    /// are missing.
    fn is_master_lost(&self) -> bool {
        self.members.readable_master().is_none_or(|master| master.state().is_lost() || self.attempts.shows_loss(master))
    }

    /// Returns the replicas that may answer though they are not in touch with their master or lack recent changes.
    fn outdated(&self, is_master_unreadable: bool, except: Option<NodeId>) -> BestTwo<'m> {
        let mut best = BestTwo::default();
        if self.master_only {
            return best;
        }
        let requirement = self.requirement;
        let may_lack_changes = !requirement.strict && (requirement.since == LogicalTime::ZERO || self.is_master_lost());
        for replica in self.members.replicas().filter(|replica| Some(replica.id) != except) {
            let state = replica.state();
            let may_answer = state.is_usable_replica() && (is_master_unreadable || state.is_readable_replica());
            if may_answer
                && (may_lack_changes || state.has_replicated_up_to(requirement.since))
                && !self.attempts.has_tried(replica)
            {
                best.insert((!state.is_slow(), self.score(replica)), replica);
            }
        }
        best
    }

    /// Returns the preferred node with the reason why it might not answer; `best` is the best fresh replica. A master that confirms that a key does not
    /// exist is no fallback.
    fn preferred(&self, preferred: &Node, best: Option<&Arc<Node>>) -> Option<PreferredNode> {
        if self.attempts.has_missed() {
            return None;
        }
        let missing = if self.attempts.has_failed(preferred) {
            Fallback::Failed
        } else if best.is_some_and(|best| best.id == preferred.id) {
            Fallback::Slow
        } else {
            self.missing(preferred)
        };
        Some(PreferredNode { node: preferred.id, missing })
    }

    /// Returns the reason why the preferred node is not the one to ask.
    fn missing(&self, preferred: &Node) -> Fallback {
        let state = preferred.state();
        let is_master = self.members.master().is_some_and(|master| master.id == preferred.id);
        if !(state.is_readable_replica() || is_master) {
            Fallback::Unreadable
        } else if !state.has_replicated_up_to(self.requirement.since) {
            Fallback::NotFresh
        } else {
            Fallback::Slow
        }
    }
}

#[cfg(test)]
mod tests;
