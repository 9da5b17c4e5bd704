//! The rules of a shard's election: the node that is its master, and the trust that this node has.
//!
//! Nodes report their roles; a node that merely calls itself a master is not believed. The shard follows every promotion,
//! by an operator or by a program. A restart is no promotion.

use crate::store::node::replication::ReplicationInfo;

/// The master until now, and the data that the shard is known to have.
#[derive(Clone, Copy)]
pub struct Incumbent<'a> {
    /// The position of the node.
    pub node: usize,
    /// The replication id of the last accepted master; empty if none was accepted yet.
    pub replication_id: &'a str,
    /// The history that the last accepted master continued; empty if there is none.
    pub previous_id: &'a str,
    /// The process of the last accepted master; empty if that is not known.
    pub run_id: &'a str,
    /// The node is not reachable.
    pub is_down: bool,
    /// The position of the node whose address the incumbent names as its master; `None` if it is a master, or follows none of the
    /// listed nodes.
    pub follows: Option<usize>,
    /// The node was accepted as the master after all nodes had been heard, and has had its data since: a node of another
    /// origin takes nothing over from it.
    pub is_established: bool,
    /// The histories of the nodes that contest the master.
    pub rivals: &'a [String],
    /// The node was accepted without proof, because its time as a candidate was up.
    pub is_unproven: bool,
    /// The histories of the masters before the last accepted one.
    pub former: &'a [String],
}

impl Incumbent<'_> {
    /// Returns true if the incumbent came back as a master without data of the known history that other nodes have: its
    /// own history does not continue the known one, or it ends earlier. A replica that the master of the known history never
    /// reached has what that one was promoted with.
    pub fn has_lost_data(&self, infos: &[Option<ReplicationInfo>]) -> bool {
        let (known, previous) = (self.replication_id, self.previous_id);
        let Some(now) = infos[self.node].as_ref().filter(|now| self.has_come_back(now)) else { return false };
        let others = infos.iter().flatten();
        is_behind(now, known, others.clone().filter(|other| other.holds_history(known)))
            || (!now.continues_history_of(known)
                && is_behind(now, previous, others.filter(|other| other.keeps_history(previous))))
    }

    /// Returns true if the incumbent, which gave this answer, is a master with another history than the known one, and
    /// neither promoted nor the same process: it was restarted, and other nodes may have data that it lacks.
    pub fn has_come_back(&self, now: &ReplicationInfo) -> bool {
        let known = self.replication_id;
        // The name of the master may lead to a promoted replica now.
        let is_successor = now.promotion_seen && now.continues_history_of(known);
        now.is_master()
            && !known.is_empty()
            && now.replication_id != known
            && !self.is_same_process(now)
            && !is_successor
    }

    /// Returns true if nothing of another origin may take over from the incumbent, which gave this answer: it is established,
    /// and its history is the known one or continues it.
    pub fn stays_established(&self, now: &ReplicationInfo) -> bool {
        self.is_established && (!self.has_come_back(now) || now.continues_history_of(self.replication_id))
    }

    /// Returns true if the process of the last accepted master has only given its history another name, as a master does
    /// that had no replicas for long.
    fn is_same_process(&self, now: &ReplicationInfo) -> bool {
        !now.run_id.is_empty()
            && now.run_id == self.run_id
            && (!now.was_promoted() || now.continues_history_of(self.replication_id))
    }

    /// Returns the position of the node that writes go to: the incumbent, unless there is proof that another node took
    /// over.
    ///
    /// A node whose info is `None` is not reachable or does not report its role. A node that merely calls itself a
    /// master proves nothing: it may have been started alone, or again, and be empty or old.
    pub fn elect(&self, infos: &[Option<ReplicationInfo>]) -> usize {
        let Self { node, replication_id: known, .. } = *self;
        let elected = match &infos[node] {
            Some(now) if now.is_master() && self.has_lost_data(infos) => {
                find(node, infos, |other| other.holds_history(known)).or_else(|| {
                    self.find_successor(infos, |other| {
                        !other.is_mere_restart() && other.continues_history_of(self.previous_id)
                    })
                })
            }
            Some(now) if now.is_master() => {
                let is_established = self.stays_established(now);
                find(node, infos, |other| supersedes(other, now, is_established, infos))
            }
            // The incumbent was demoted: the node that it follows is the master.
            // Until it has received that one's data, its history is its own, but it may name the address.
            Some(now) => find(node, infos, |other| other.replication_id == now.replication_id)
                .or_else(|| self.follows.filter(|followed| is_master(*followed, infos)))
                .or_else(|| find(node, infos, |other| other.holds_history(known))),
            None => self.successor(infos),
        };
        elected.unwrap_or(node)
    }

    /// Returns the position of the node that has taken over from the incumbent, which is not reachable.
    fn successor(&self, infos: &[Option<ReplicationInfo>]) -> Option<usize> {
        let Self { replication_id: known, is_down, rivals, .. } = *self;
        self.find_successor(infos, |other| is_proven_promotion(other) && other.continues_history_of(known))
            // Several promotions may have passed unseen. The known history has not ended while a node has it: a master without
            // it may be a former one of which this instance does not know.
            .or_else(|| self.find_successor(infos, |other| is_proven_promotion(other) && !is_held(known, infos)))
            .or_else(|| {
                self.find_successor(infos, |other| {
                    is_down && (other.holds_history(known) || (known.is_empty() && other.was_promoted()))
                })
            })
            // To stop one of two masters is to decide for the other one.
            .or_else(|| find(self.node, infos, |other| is_down && rivals.contains(&other.replication_id)))
    }

    /// Returns the position of the first master besides the incumbent that meets the condition, and is not known to have been
    /// deposed: one with the history of a former master was not promoted since.
    fn find_successor(
        &self,
        infos: &[Option<ReplicationInfo>],
        proves: impl Fn(&ReplicationInfo) -> bool,
    ) -> Option<usize> {
        find(self.node, infos, |other| !self.former.contains(&other.replication_id) && proves(other))
    }

    /// Returns the position of the only other node that calls itself master, while the incumbent is down and no master of the
    /// shard was known yet. Nothing proves that the node took over: it may have been started empty in place of a node that
    /// was promoted.
    pub fn candidate(&self, infos: &[Option<ReplicationInfo>]) -> Option<usize> {
        if !self.is_down || !self.replication_id.is_empty() {
            return None;
        }
        let (candidate, history) = masters_besides(self.node, infos).next()?;
        masters_besides(self.node, infos).all(|(_, other)| other == history).then_some(candidate)
    }

    /// Returns the histories of the nodes that may be the master instead of the elected one: they call themselves
    /// master, and nothing proves which of them was promoted last.
    pub fn rivals(&self, elected: usize, infos: &[Option<ReplicationInfo>]) -> Vec<String> {
        let Some(master) = infos[elected].as_ref().filter(|info| info.is_master()) else { return Vec::new() };
        // A node that has just been elected has proven more than any node of another origin.
        let is_established = elected != self.node || self.stays_established(master);
        let is_unproven = self.is_unproven && elected == self.node;
        let others = infos.iter().enumerate().filter(|(position, _)| *position != elected);
        let others = others.filter_map(|(_, info)| info.as_ref().filter(|info| info.is_master()));
        others
            .filter(|other| is_rival(other, master, is_established) || (is_unproven && may_depose(other, master)))
            .map(|other| other.replication_id.clone())
            .collect()
    }
}

/// Returns true if the master `now` lacks data of a history that one of these nodes has.
fn is_behind<'i>(now: &ReplicationInfo, history: &str, holders: impl Iterator<Item = &'i ReplicationInfo>) -> bool {
    // The offset of a promoted node has moved on, but what it was promoted with counts for nothing less.
    let newest = holders.map(|holder| holder.offset).max();
    newest.is_some_and(|offset| !now.continues_history_of(history) || now.offset < offset)
}

/// Returns true if the master `other`, rather than the living master `current`, is to receive the writes.
fn supersedes(
    other: &ReplicationInfo,
    current: &ReplicationInfo,
    is_established: bool,
    infos: &[Option<ReplicationInfo>],
) -> bool {
    if other.replication_id == current.replication_id {
        // The list names one process twice.
        return false;
    }
    if other.continues_history_of(&current.replication_id) {
        return other.promotion_seen;
    }
    if !has_claim(other, current) {
        return false;
    }
    let have_one_origin = current.continues_history_of(&other.previous_replication_id);
    if other.promotion_seen && have_one_origin {
        return true;
    }
    // A node of another origin counts only as long as the current master may be one that was started again.
    !is_established && (other.promotion_seen || has_replicas(&other.replication_id, infos))
}

/// Returns true if the master `other` may have been promoted in place of the elected `master`, or the other way round.
fn is_rival(other: &ReplicationInfo, master: &ReplicationInfo, is_established: bool) -> bool {
    if other.is_mere_restart() || other.replication_id == master.replication_id {
        return false;
    }
    if other.continues_history_of(&master.replication_id) {
        return true;
    }
    let have_one_origin = master.continues_history_of(&other.previous_replication_id);
    let are_related = !master.promotion_seen
        && (master.continues_history_of(&other.replication_id)
            || (have_one_origin && (other.is_followed() || !master.is_followed())));
    are_related || (!is_established && has_claim(other, master))
}

/// Returns true if the master `other` followed a master once, and nothing shows that `current` was more than started: it
/// may be empty, and the data of the shard may be that of `other`.
fn has_claim(other: &ReplicationInfo, current: &ReplicationInfo) -> bool {
    other.was_promoted()
        && !other.is_mere_restart()
        && !current.continues_history_of(&other.replication_id)
        && !current.is_followed()
        && !current.promotion_seen
}

/// Returns true if the master `other`, which was not reachable before, may be the one rather than `unproven`, which was
/// accepted without proof meanwhile.
fn may_depose(other: &ReplicationInfo, unproven: &ReplicationInfo) -> bool {
    let is_preferred = other.is_followed() || !unproven.is_followed();
    is_preferred && !other.is_mere_restart() && other.replication_id != unproven.replication_id
}

/// Returns the positions and the histories of all masters but one.
fn masters_besides(node: usize, infos: &[Option<ReplicationInfo>]) -> impl Iterator<Item = (usize, &str)> {
    let others = infos.iter().enumerate().filter(move |(position, _)| *position != node);
    let others = others.filter_map(|(position, info)| Some((position, info.as_ref().filter(|info| info.is_master())?)));
    others.map(|(position, info)| (position, &*info.replication_id))
}

/// Returns true if the node was seen to be promoted, or others follow it.
fn is_proven_promotion(info: &ReplicationInfo) -> bool {
    info.was_promoted() && (info.promotion_seen || (info.is_followed() && !info.is_mere_restart()))
}

/// Returns true if a reachable node has the data of this history, as a replica or as a master that continues it.
fn is_held(replication_id: &str, infos: &[Option<ReplicationInfo>]) -> bool {
    infos.iter().flatten().any(|info| info.holds_history(replication_id))
}

/// Returns true if a reachable replica has the data of this history.
fn has_replicas(replication_id: &str, infos: &[Option<ReplicationInfo>]) -> bool {
    infos.iter().flatten().any(|info| !info.is_master() && info.holds_history(replication_id))
}

/// Returns true if this node calls itself master.
fn is_master(node: usize, infos: &[Option<ReplicationInfo>]) -> bool {
    infos[node].as_ref().is_some_and(ReplicationInfo::is_master)
}

/// Returns the position of the first master besides the given node that meets the condition.
fn find(node: usize, infos: &[Option<ReplicationInfo>], proves: impl Fn(&ReplicationInfo) -> bool) -> Option<usize> {
    infos
        .iter()
        .enumerate()
        .position(|(other, info)| other != node && info.as_ref().is_some_and(|info| info.is_master() && proves(info)))
}

#[cfg(test)]
mod tests;
