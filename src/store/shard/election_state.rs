//! The state of a shard's master election.

use super::{
    election_rules::{Incumbent, elect},
    members::Members,
};
use crate::{
    store::node::replication::{ReplicationInfo, ReplicationRole},
    types::Address,
};

/// The facts that an election goes by, besides the answers of the nodes.
#[derive(Default)]
pub struct MasterElection {
    /// The replication id of the last known master; empty if none was known.
    replication_id: String,
    /// The master that Sentinel or the Redis Cluster announced; `None` while neither is heard.
    announced_master: Option<Address>,
    /// The announced master from which another node took over.
    superseded: Option<Address>,
    /// The replication id of the last announced master that called itself one: its promotion counts as seen.
    trusted_id: Option<String>,
    /// Two nodes call themselves master at the same time.
    split_brain: bool,
}

/// The result of an election.
pub struct ElectionResult {
    /// The position of the master before the election.
    pub before: usize,
    /// The position of the master from now on.
    pub elected: usize,
    /// Two nodes call themselves master, and did not before.
    pub split_brain_began: bool,
    /// The elected node says that it is a replica, and no other node is known to have taken over.
    pub is_demoted: bool,
}

impl MasterElection {
    /// Sets or clears the announced master. A repeated announcement of a superseded master is ignored. Returns true if
    /// that is a change.
    pub fn set_announced_master(&mut self, master: Option<&Address>) -> bool {
        let is_superseded = master.is_some() && self.superseded.as_ref() == master;
        if self.announced_master.as_ref() == master || is_superseded {
            return false;
        }
        if master.is_some() {
            self.superseded = None;
        }
        self.announced_master = master.cloned();
        true
    }

    /// Returns true if two nodes call themselves master at the same time.
    pub fn split_brain(&self) -> bool {
        self.split_brain
    }

    /// Elects the master among the nodes. Returns `None` if there are no nodes.
    pub fn run(&mut self, members: &Members) -> Option<ElectionResult> {
        let (nodes, before) = (members.nodes(), members.master_position()?);
        let infos: Vec<_> =
            nodes.iter().map(|node| node.replication_info().map(|info| self.with_trusted_promotion(info))).collect();
        let announced = self.announced_master.as_ref();
        let announced = announced.and_then(|address| nodes.iter().position(|node| node.address == *address));
        let elected = announced.filter(|node| is_master(infos[*node].as_ref())).unwrap_or_else(|| {
            let state = nodes[before].state();
            let is_down = !state.is_up() && !state.is_connecting();
            elect(Incumbent { node: before, replication_id: &self.replication_id, is_down }, &infos)
        });
        if elected != before && announced == Some(before) {
            self.superseded = self.announced_master.take().or_else(|| self.superseded.take());
        }
        if let Some(master) = infos[elected].as_ref().filter(|info| info.role == ReplicationRole::Master) {
            self.replication_id.clone_from(&master.replication_id);
            if announced == Some(elected) {
                self.trusted_id = Some(master.replication_id.clone());
            }
        }
        for (node, info) in nodes.iter().zip(&infos) {
            // A replica of another master has that one's data. While no master is known, every node is trusted. A node
            // that is gone keeps the mark that it had.
            if let Some(info) = info {
                let same_lineage = self.replication_id.is_empty() || info.replication_id == self.replication_id;
                node.set_same_lineage(same_lineage, info.flushes);
            }
        }
        let had_split_brain = self.split_brain;
        self.split_brain = infos.iter().filter(|info| is_master(info.as_ref())).count() > 1;
        Some(ElectionResult {
            before,
            elected,
            split_brain_began: self.split_brain && !had_split_brain,
            is_demoted: elected == before && infos[elected].is_some() && !is_master(infos[elected].as_ref()),
        })
    }

    /// Returns the info with its promotion marked as seen if it is that of the trusted master.
    fn with_trusted_promotion(&self, mut info: ReplicationInfo) -> ReplicationInfo {
        let is_trusted = info.role == ReplicationRole::Master && self.trusted_id.as_ref() == Some(&info.replication_id);
        info.promotion_seen |= is_trusted;
        info
    }
}

/// Returns true if a node calls itself master.
fn is_master(info: Option<&ReplicationInfo>) -> bool {
    info.is_some_and(|info| info.role == ReplicationRole::Master)
}
