//! The nodes of a shard at the time of an election.

use super::members::Members;
use crate::store::node::{replication::ReplicationInfo, state::NodeState};
use arc_swap::Guard;
use std::{collections::BTreeSet, iter, sync::Arc};

/// The nodes of a shard at the time of an election.
pub struct Survey<'a> {
    /// The nodes, and the master until now with its standing.
    pub members: &'a Members,
    /// The position of the master until now.
    pub before: usize,
    /// The position of the announced master.
    pub announced: Option<usize>,
    /// The states of the nodes.
    pub states: Vec<Guard<Arc<NodeState>>>,
    /// The answers of the nodes; `None` for a node that is not reachable or does not report its role.
    pub infos: Vec<Option<ReplicationInfo>>,
}

impl Survey<'_> {
    /// Returns true if this node calls itself master.
    pub fn is_master(&self, node: usize) -> bool {
        self.infos[node].as_ref().is_some_and(ReplicationInfo::is_master)
    }

    /// Returns the position of the node whose address this node names as its master.
    pub fn followed(&self, node: usize) -> Option<usize> {
        let followed = self.infos[node].as_ref()?.followed_address.as_ref()?;
        self.members.nodes().iter().position(|other| other.address == *followed)
    }

    /// Returns the announced master if it is another node than this one and not reachable. A node that is reachable and does
    /// not tell its role is not meant: it never says that it is the master.
    pub fn absent_successor(&self, node: usize) -> Option<usize> {
        let announced = self.announced.filter(|announced| *announced != node)?;
        let is_absent = self.infos[announced].is_none() && !self.states[announced].hides_role();
        is_absent.then_some(announced)
    }

    /// Returns true if any node calls itself master.
    pub fn has_master(&self) -> bool {
        (0..self.infos.len()).any(|node| self.is_master(node))
    }

    /// Returns the positions of the nodes that call themselves master, this one first if it does. A process that the list
    /// names twice counts once.
    pub fn masters(&self, first: usize) -> Vec<usize> {
        let others = (0..self.infos.len()).filter(|node| *node != first);
        let mut histories = BTreeSet::new();
        iter::once(first)
            .chain(others)
            .filter(|node| {
                let master = self.infos[*node].as_ref().filter(|info| info.is_master());
                master.is_some_and(|info| histories.insert(&*info.replication_id))
            })
            .collect()
    }

    /// Returns true if the former master was demoted and has the history of this master.
    pub fn is_named(&self, master: &ReplicationInfo) -> bool {
        let former = self.infos[self.before].as_ref();
        former.is_some_and(|info| !info.is_master() && info.replication_id == master.replication_id)
    }

    /// Returns the states of all nodes but one.
    pub fn others(&self, except: usize) -> impl Iterator<Item = &NodeState> {
        let others = self.states.iter().enumerate().filter(move |(position, _)| *position != except);
        others.map(|(_, state)| &***state)
    }
}

/// Returns true if a node is being connected to, so that its last answer may still hold.
pub fn is_connecting_again(state: &NodeState) -> bool {
    !state.is_up() && state.is_connecting()
}

/// Returns true if nothing else is to be expected of a node soon: it has answered, or is not reachable.
pub fn is_heard(state: &NodeState) -> bool {
    state.replication_info().is_some() || state.hides_role() || !(state.is_up() || state.is_connecting())
}

/// Returns true if a node's first answer is just to come: it is being connected to, and is not known to be reading its data.
pub fn is_awaited(state: &NodeState) -> bool {
    !is_heard(state) && !state.is_loading()
}
