//! The nodes of a shard.

use super::standing::MasterStanding;
use crate::{
    ring::rendezvous_score,
    store::{consistency::ReadRequirement, node::Node},
    types::{Address, WorkerArc, WorkerArcs},
};
use std::sync::Arc;

/// The nodes of a shard at one time. The list never changes; a shard whose nodes change gets another list.
#[derive(Clone, Default)]
pub struct Members {
    nodes: Vec<Arc<Node>>,
    /// The workers' handles on the nodes, in the same order.
    handles: Arc<[WorkerArcs<Node>]>,
    /// The position of the master.
    master: Option<usize>,
    /// The trust that the master has.
    standing: MasterStanding,
}

impl Members {
    /// Creates the list; `master` is a position in `nodes`. The master is accepted.
    pub fn new(nodes: Vec<Arc<Node>>, master: Option<usize>) -> Self {
        let master = master.filter(|position| *position < nodes.len());
        let handles = nodes.iter().map(|_| WorkerArcs::default()).collect();
        Self { nodes, handles, master, standing: MasterStanding::Accepted }
    }

    /// Sets the standing of the master.
    #[must_use]
    pub fn with_standing(self, standing: MasterStanding) -> Self {
        Self { standing, ..self }
    }

    /// Returns the standing of the master.
    pub fn standing(&self) -> MasterStanding {
        self.standing
    }

    /// Returns all nodes.
    pub fn nodes(&self) -> &[Arc<Node>] {
        &self.nodes
    }

    /// Returns a handle of the calling worker on one of the nodes.
    pub fn handle(&self, node: &Arc<Node>) -> WorkerArc<Node> {
        let position = self.nodes.iter().position(|member| Arc::ptr_eq(member, node));
        match position.and_then(|position| self.handles.get(position)) {
            Some(handles) => handles.on(node),
            None => WorkerArc::new(node),
        }
    }

    /// Returns the position of the master in [`Members::nodes`].
    pub fn master_position(&self) -> Option<usize> {
        self.master
    }

    /// Returns the master, whatever its standing.
    pub fn master(&self) -> Option<&Arc<Node>> {
        self.nodes.get(self.master?)
    }

    /// Returns the node that writes go to; `None` while the master is not accepted.
    pub fn writable_master(&self) -> Option<&Arc<Node>> {
        self.master().filter(|_| self.standing == MasterStanding::Accepted)
    }

    /// Returns the master if it may answer reads; `None` while it lacks the data of its replicas.
    pub fn readable_master(&self) -> Option<&Arc<Node>> {
        self.master().filter(|_| self.standing != MasterStanding::Held)
    }

    /// Returns true if the standing of the master refuses the read, whatever node would answer.
    pub fn refuses(&self, requirement: &ReadRequirement) -> bool {
        self.standing != MasterStanding::Accepted && (requirement.strict || requirement.master_only)
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
