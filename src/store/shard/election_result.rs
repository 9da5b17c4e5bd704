//! The result of an election, and what it says of the nodes.

use super::{candidacy::CandidacyState, members::Members, standing::MasterStanding};
use crate::store::node::{
    lineage::Lineage,
    replication::{ReplicationInfo, ReplicationRole},
};
use tokio::time::Instant;

/// The result of an election.
#[expect(clippy::struct_excessive_bools, reason = "independent facts; most combinations occur")]
pub struct ElectionResult {
    /// The position of the master before the election.
    pub before: usize,
    /// The position of the master from now on.
    pub elected: usize,
    /// The standing of the master from now on.
    pub standing: MasterStanding,
    /// The time at which another election is due, even if no node changes.
    pub due: Option<Instant>,
    /// The master came back without data that its replicas have, and had the data before.
    pub lost_data: bool,
    /// The positions of the nodes that call themselves master, the elected one first.
    pub masters: Vec<usize>,
    /// The position of the announced master, if it is another node than the elected one and does not answer.
    pub absent_successor: Option<usize>,
    /// Two nodes call themselves master, and did not before.
    pub split_brain_began: bool,
    /// The node that calls itself master without proof while the listed master is down, and its state.
    pub candidate: Option<(usize, CandidacyState)>,
    /// The elected node says that it is a replica, and no other node is known to have taken over.
    pub is_demoted: bool,
    /// The master came back, and the other nodes have to answer before it is used.
    pub awaits_answers: bool,
    /// The answers of the nodes that the election was held with.
    pub infos: Vec<Option<ReplicationInfo>>,
    /// The history whose data the nodes of the shard are to have; empty while none is known.
    pub replication_id: String,
    /// No master has been known yet, and a node that may be it is just being connected to.
    pub awaits_first_master: bool,
}

impl ElectionResult {
    /// Returns true if the elected node was a candidate, and nothing proves that it took over.
    pub fn is_unproven(&self) -> bool {
        matches!(self.candidate, Some((_, CandidacyState::Accepted)))
    }

    /// Records in the nodes what the election found about them. Returns true if that changed a node.
    pub fn record(&self, members: &Members) -> bool {
        let mut changed = false;
        for (position, (node, info)) in members.nodes().iter().zip(&self.infos).enumerate() {
            // A node that is gone keeps the mark that it had.
            let awaits = self.awaits_answers && position == self.elected;
            if let Some(info) = info.as_ref().filter(|_| !awaits) {
                changed |= node.record_election(info, self.lineage(info));
            }
        }
        changed
    }

    /// Returns the origin of the data of the node that gave this answer. A replica of another master has that one's data.
    /// While no master is known, nodes are trusted that agree, but not before all of them could answer.
    fn lineage(&self, info: &ReplicationInfo) -> Lineage {
        if self.replication_id.is_empty() {
            let is_trusted = !self.awaits_first_master && self.is_only_history(&info.replication_id);
            return if is_trusted { Lineage::Assumed } else { Lineage::Unknown };
        }
        if info.replication_id == self.replication_id { Lineage::Proven } else { Lineage::Unknown }
    }

    /// Returns true if no replica has data of another history than this one, or one that it continues. If the listed master is a
    /// replica and another node is a master, the masters count instead.
    fn is_only_history(&self, history: &str) -> bool {
        let is_master_elsewhere = self.is_demoted && self.infos.iter().flatten().any(ReplicationInfo::is_master);
        let counted = self.infos.iter().flatten().filter(|info| match info.role {
            ReplicationRole::Master => is_master_elsewhere,
            ReplicationRole::Replica { synced, .. } => synced && !is_master_elsewhere,
        });
        let (holders, others): (Vec<_>, Vec<_>) = counted.partition(|info| info.replication_id == history);
        !holders.is_empty()
            && others
                .iter()
                .all(|other| holders.iter().any(|info| info.previous_replication_id == other.replication_id))
    }
}
