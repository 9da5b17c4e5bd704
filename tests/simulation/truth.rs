//! The truth about each shard: which node is its master, and what each master has written.
//!
//! Redis replicates asynchronously, so a promotion may lose acknowledged changes. A *branch* is what one node has
//! written from one beginning of its role as master to the end of it, on top of the history that it had. A branch is
//! *accepted* if it is the shard's master by the will of an operator, or because nothing better is left.

use crate::{
    redis::Applied,
    world::{Ms, World},
};
use std::collections::BTreeMap;

/// The time for which a master without the data of its replicas is held back.
pub const HOLD: Ms = 10_000;

/// What one node has written as a master.
pub struct Branch {
    pub shard: usize,
    pub node: usize,
    pub ended: Option<Ms>,
    /// The time from which on the node is the master of its shard.
    pub accepted: Option<Ms>,
    /// The time at which another branch was accepted.
    pub superseded: Option<Ms>,
    /// Everything that led to the data of the node.
    pub history: Vec<Applied>,
}

/// The truth about all shards.
#[derive(Default)]
pub struct Truth {
    pub branches: Vec<Branch>,
    /// The accepted branch of each shard.
    pub current: Vec<usize>,
    /// The shortest and the longest lag of replicas.
    pub replication_lag: (Ms, Ms),
    /// The times at which a node of a shard changed its role, started or ended.
    pub disturbances: Vec<(Ms, usize)>,
    /// The shard of each key.
    pub shard_of: BTreeMap<String, usize>,
    ids: u64,
}

impl Truth {
    /// Returns a number that was not used before.
    pub fn next_id(&mut self) -> u64 {
        self.ids += 1;
        self.ids
    }
}

impl World {
    /// Begins a branch: the node has become a master.
    pub fn begin_branch(&mut self, node: usize) {
        let shard = self.nodes[node].shard;
        let history = self.nodes[node].data.history.clone();
        self.nodes[node].branch = Some(self.truth.branches.len());
        self.truth.branches.push(Branch { shard, node, ended: None, accepted: None, superseded: None, history });
        self.truth.disturbances.push((self.now, shard));
    }

    /// Ends the branch of a node that is no master any more.
    pub fn end_branch(&mut self, node: usize) {
        self.truth.disturbances.push((self.now, self.nodes[node].shard));
        if let Some(branch) = self.nodes[node].branch.take() {
            self.truth.branches[branch].ended = Some(self.now);
        }
    }

    /// Makes the branch of a node the one that counts.
    pub fn accept(&mut self, node: usize) {
        let (now, shard) = (self.now, self.nodes[node].shard);
        let Some(accepted) = self.nodes[node].branch else { return };
        if self.truth.branches[accepted].accepted.is_some() {
            return;
        }
        self.note(&format!("node {node} is the master of its shard now"));
        for (number, branch) in self.truth.branches.iter_mut().enumerate().filter(|(_, it)| it.shard == shard) {
            if number == accepted {
                branch.accepted = Some(now);
            } else {
                branch.superseded.get_or_insert(now);
            }
        }
        self.truth.current.resize(self.truth.current.len().max(shard + 1), 0);
        self.truth.current[shard] = accepted;
    }

    /// Accepts a master that came back without data, if no other node of its shard has more.
    pub fn look_for_survivors(&mut self, node: usize) {
        let shard = self.nodes[node].shard;
        let Some(current) = self.truth.current.get(shard).copied() else { return };
        let master = self.truth.branches[current].node;
        let Some(branch) = self.nodes[master].branch.filter(|branch| *branch != current) else { return };
        let history = &self.truth.branches[branch].history;
        let has_more = self.nodes.iter().enumerate().any(|(number, other)| {
            let newest = other.data.history.last();
            let is_known =
                newest.is_none_or(|newest| history.iter().any(|own| (own.time, own.end) == (newest.time, newest.end)));
            number != master && other.shard == shard && other.is_alive && !is_known
        });
        if !has_more {
            self.accept(master);
        }
    }
}
