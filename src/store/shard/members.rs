//! The nodes of a shard, and which of them may answer a read.

use crate::{
    ring::rendezvous_score,
    store::{
        consistency::{LogicalTime, ReadRequirement},
        node::Node,
    },
    types::Address,
};
use std::sync::Arc;

/// The nodes of a shard at one time. It never changes; a shard that changes gets another one.
#[derive(Clone, Default)]
pub struct Members {
    nodes: Vec<Arc<Node>>,
    /// Position of the node that writes go to.
    master: Option<usize>,
}

impl Members {
    /// `master` is a position in `nodes`.
    pub fn new(nodes: Vec<Arc<Node>>, master: Option<usize>) -> Self {
        Self { master: master.filter(|position| *position < nodes.len()), nodes }
    }

    pub fn nodes(&self) -> &[Arc<Node>] {
        &self.nodes
    }

    pub fn master_position(&self) -> Option<usize> {
        self.master
    }

    pub fn master(&self) -> Option<&Arc<Node>> {
        self.nodes.get(self.master?)
    }

    pub fn replicas(&self) -> impl Iterator<Item = &Arc<Node>> {
        let master = self.master;
        self.nodes.iter().enumerate().filter(move |(position, _)| Some(*position) != master).map(|(_, node)| node)
    }

    pub fn find(&self, address: &Address) -> Option<&Arc<Node>> {
        self.nodes.iter().find(|node| node.address == *address)
    }

    /// The replica that a key with this hash is drawn to, whether or not it can be read.
    pub fn preferred_replica(&self, hash: u64) -> Option<&Arc<Node>> {
        self.replicas().max_by_key(|node| rendezvous_score(hash, node.seed))
    }

    /// The node that a read is for as long as nothing is wrong.
    pub fn preferred(&self, wish: &ReadRequirement) -> Option<&Arc<Node>> {
        let replica = if wish.master_only { None } else { self.preferred_replica(wish.hash) };
        replica.or_else(|| self.master())
    }

    /// The node to read from, if there is one now: of the replicas that are fresh enough the one the key is drawn
    /// to, else the master. While that is lost, replicas go on with what they have, for as long as they may.
    /// `in_vain` says that nodes that were tried failed, rather than had too much to do.
    pub fn readable(&self, wish: &ReadRequirement, tried: impl Fn(&Node) -> bool, in_vain: bool) -> Option<&Arc<Node>> {
        let best = |usable: &dyn Fn(&Node) -> bool| {
            let usable = |node: &&Arc<Node>| !tried(node) && usable(node);
            self.replicas().filter(usable).max_by_key(|node| rendezvous_score(wish.hash, node.seed))
        };
        let replicas_may = !wish.master_only;
        let fresh = || best(&|node| node.is_readable_replica() && node.has_replicated_up_to(wish.since));
        let exacting = wish.strict || wish.master_only;
        let is_fit = |master: &Node| master.is_readable_master() && (!exacting || master.may_be_master());
        let master = || self.master().filter(|master| !tried(master) && is_fit(master));
        // What was changed lately may be missing there, which only the loss of the master excuses.
        let lost = || self.master().is_none_or(|master| !master.is_readable_master() || (in_vain && tried(master)));
        let any = !wish.strict && (wish.since == LogicalTime::ZERO || lost());
        let may = |node: &Node| node.is_usable_replica() && (node.is_readable_replica() || lost());
        let left = || best(&|node| may(node) && (any || node.has_replicated_up_to(wish.since)));
        (if replicas_may { fresh() } else { None }).or_else(master).or_else(|| if replicas_may { left() } else { None })
    }
}
