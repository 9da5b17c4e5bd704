//! The nodes of a shard.

use crate::{ring::rendezvous_score, store::node::Node, types::Address};
use std::sync::Arc;

/// The nodes of a shard at one time. The list never changes; a shard whose nodes change gets another list.
#[derive(Clone, Default)]
pub struct Members {
    nodes: Vec<Arc<Node>>,
    /// The position of the node that writes go to.
    master: Option<usize>,
}

impl Members {
    /// Creates the list; `master` is a position in `nodes`.
    pub fn new(nodes: Vec<Arc<Node>>, master: Option<usize>) -> Self {
        Self { master: master.filter(|position| *position < nodes.len()), nodes }
    }

    /// Returns all nodes.
    pub fn nodes(&self) -> &[Arc<Node>] {
        &self.nodes
    }

    /// Returns the position of the master in [`Members::nodes`].
    pub fn master_position(&self) -> Option<usize> {
        self.master
    }

    /// Returns the node that writes go to.
    pub fn master(&self) -> Option<&Arc<Node>> {
        self.nodes.get(self.master?)
    }

    /// Returns all nodes but the master.
    pub fn replicas(&self) -> impl Iterator<Item = &Arc<Node>> {
        let master = self.master;
        self.nodes.iter().enumerate().filter(move |(position, _)| Some(*position) != master).map(|(_, node)| node)
    }

    /// Returns the node with this address.
    pub fn find(&self, address: &Address) -> Option<&Arc<Node>> {
        self.nodes.iter().find(|node| node.address == *address)
    }

    /// Returns the replica that reads of a key with this hash prefer, whether or not it can be read now.
    pub fn preferred_replica(&self, hash: u64) -> Option<&Arc<Node>> {
        self.replicas().max_by_key(|node| rendezvous_score(hash, node.seed))
    }
}
