//! The state of a node: one immutable value that is replaced whole, so that nobody reads facts of two moments.

use crate::store::{
    consistency::{LogicalTime, ReplicationProgress},
    node::{
        lineage::Lineage,
        replication::{ReplicationInfo, ReplicationRole},
    },
};
use std::time::Duration;

/// The connections of a node taken together. The connection for large values does not count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Connectivity {
    /// At least one connection is open.
    pub up: bool,
    /// For at least one connection, the first attempt to connect, or the first one after a loss, is under way. Requests
    /// wait for its end.
    pub connecting: bool,
}

/// Everything that is known of a node at one moment.
#[expect(clippy::struct_excessive_bools, reason = "independent facts; most combinations occur")]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeState {
    connectivity: Connectivity,
    /// The last answer to `INFO replication`; `None` before the first one, and while the node's user may not ask.
    answer: Option<ReplicationInfo>,
    /// The node was unreachable after its last answer, so it may have been restarted since.
    is_outdated: bool,
    /// The origin of the node's data, as far as the last election knew.
    lineage: Lineage,
    /// The node's user may not read from replicas of a Redis Cluster.
    refuses_replica_reads: bool,
    /// The node answered a probe without telling its role.
    hides_role: bool,
    /// The node was a master and is a replica now that has not received its new master's data: it still has its own.
    keeps_former_data: bool,
    /// The node calls itself master, and the shard's election has not looked at this process and this history yet.
    awaits_election: bool,
    /// The node has all changes that were acknowledged until then.
    replicated_up_to: LogicalTime,
    /// The time at which the question was sent that the last answer is for.
    asked_at: LogicalTime,
    /// The number of times that the node reported the loss of all its data. A replica that follows another master does so
    /// before it receives that one's data.
    flushes: u64,
    /// The number of such reports that had come before the last question whose answer decided on `lineage`.
    flushes_judged: u64,
    /// The time since which the node counts as slow; `None` while it does not.
    slow_since: Option<LogicalTime>,
    /// The longest time that a replica may be without its master and still be read; `None` for no limit.
    stale_max: Option<Duration>,
}

/// The consequences of an answer that was recorded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AnswerEffect {
    /// The node's state is another one now.
    pub changed: bool,
    /// The node has another role now.
    pub role_changed: bool,
    /// The node does not tell its role, and did until now or was not asked yet.
    pub role_hidden: bool,
}

impl NodeState {
    /// Creates the state of a node that nobody has connected to yet.
    pub fn new(connectivity: Connectivity, stale_max: Option<Duration>) -> Self {
        Self { connectivity, stale_max, ..Self::default() }
    }

    /// Returns true if a connection is open.
    pub fn is_up(&self) -> bool {
        self.connectivity.up
    }

    /// Returns true if the first attempt to connect, or the first one after a loss, is under way. Requests wait for its
    /// end.
    pub fn is_connecting(&self) -> bool {
        self.connectivity.connecting
    }

    /// Returns the node's last answer; `None` if the node is not connected, does not tell, or is loading its data.
    pub fn replication_info(&self) -> Option<&ReplicationInfo> {
        self.current_answer().filter(|answer| self.is_up() && !answer.loading)
    }

    /// Returns true if the node may answer reads as a replica: it has its data and is in touch with its master.
    pub fn is_readable_replica(&self) -> bool {
        self.link_down_for().is_none() && self.is_usable_replica()
    }

    /// Returns true if the node may answer reads while its master is lost: it has its data, and that is not too old.
    pub fn is_usable_replica(&self) -> bool {
        self.is_up()
            && self.lineage.is_of_shard()
            && !self.refuses_replica_reads
            && !self.must_be_probed()
            && self.has_replica_data()
            && !self.is_stale()
    }

    /// Returns true if the node may have more data of a history than its last answer says: it had that history, and was not
    /// asked after `since`, or receives the history still. A node that is just being connected to again counts, too.
    pub fn may_have_more_of(&self, history: &str, since: LogicalTime) -> bool {
        let last = self.answer.as_ref().filter(|last| !last.loading && last.holds_history(history));
        last.is_some_and(|last| {
            if self.is_up() && !self.is_outdated {
                self.asked_at <= since || matches!(last.role, ReplicationRole::Replica { down_for: None, .. })
            } else {
                self.is_up() || self.is_connecting()
            }
        })
    }

    /// Returns true if the node is not reachable, and had the data of this history when it was last asked.
    pub fn is_missing_with(&self, history: &str) -> bool {
        !self.is_up() && self.answer.as_ref().is_some_and(|last| !last.loading && last.holds_history(history))
    }

    /// Returns true if nothing can be expected of the node for now: no connection is open or just being opened again, or
    /// the node lacks its data.
    pub fn is_lost(&self) -> bool {
        if self.is_up() { self.lacks_data() } else { !self.is_connecting() }
    }

    /// Returns true if the node may answer reads as the master of its shard. One that says that it is a replica may have got the
    /// data of another master by now.
    pub fn is_readable_master(&self) -> bool {
        let has_own_data = !self.is_replica() || (self.lineage.is_of_shard() && !self.must_be_probed());
        self.is_writable_master() && !self.lacks_data() && has_own_data
    }

    /// Returns true if writes may be sent to the node as the master of its shard.
    pub fn is_writable_master(&self) -> bool {
        self.is_up() && !self.awaits_election
    }

    /// Returns true if the last answer is that of this process (`run_id`). A process that is not known is empty, and may be
    /// any.
    pub fn is_process(&self, run_id: &str) -> bool {
        let known = self.answer.as_ref().map_or("", |answer| &*answer.run_id);
        run_id == known || run_id.is_empty() || known.is_empty()
    }

    /// Returns true if the node calls itself master, and the shard's election has not looked at this process and this
    /// history yet: it may have come back without its data. That takes up to half a second.
    pub fn awaits_election(&self) -> bool {
        self.awaits_election
    }

    /// Returns true if the node is connected and does not tell its role, because its user may not ask.
    pub fn hides_role(&self) -> bool {
        self.is_up() && self.hides_role
    }

    /// Returns true if the node is not known to be a replica: what it has is the newest there is.
    pub fn may_be_master(&self) -> bool {
        !self.is_replica()
    }

    /// Returns true if the node, which is elected, has all changes that went to it: it is not known to be a replica, or it was
    /// the accepted master and has just been demoted.
    pub fn has_own_changes(&self) -> bool {
        !self.is_replica() || self.lineage == Lineage::Proven
    }

    /// Returns true if the node calls itself a replica.
    pub fn is_replica(&self) -> bool {
        matches!(self.role(), Some(ReplicationRole::Replica { .. }))
    }

    /// Returns true if the node is a master with this replication id, and its data is that of its shard.
    pub fn is_master_of(&self, replication_id: &str) -> bool {
        let info = self.replication_info().filter(|_| self.lineage.is_of_shard());
        info.is_some_and(|info| info.is_master() && info.replication_id == replication_id)
    }

    /// Returns true if other replicas are to be read before this one.
    pub fn is_slow(&self) -> bool {
        self.slow_since.is_some()
    }

    /// Returns the time since which the node counts as slow; `None` while it does not.
    pub fn slow_since(&self) -> Option<LogicalTime> {
        self.slow_since
    }

    /// Records if other replicas are to be read before this one, and since when.
    pub fn set_slow_since(&mut self, since: Option<LogicalTime>) {
        self.slow_since = since;
    }

    /// Returns true if the node has dropped all its data, and no answer has told since whose data it has now.
    pub fn must_be_probed(&self) -> bool {
        self.flushes != self.flushes_judged
    }

    /// Returns the number of times that the node reported the loss of all its data.
    pub fn flushes(&self) -> u64 {
        self.flushes
    }

    /// Records that the node reported the loss of all its data.
    pub fn mark_flushed(&mut self) {
        self.flushes += 1;
        self.keeps_former_data = false;
    }

    /// Returns the time at which the node certainly was a master; zero if that is not known.
    pub fn known_master_at(&self) -> LogicalTime {
        match self.current_answer() {
            Some(ReplicationInfo { role: ReplicationRole::Master, loading: false, .. }) => self.asked_at,
            _ => LogicalTime::ZERO,
        }
    }

    /// Returns true if the node has all changes that were acknowledged until `time`.
    pub fn has_replicated_up_to(&self, time: LogicalTime) -> bool {
        self.replicated_up_to >= time
    }

    /// Returns the time at which the question was sent that the last answer is for.
    pub fn asked_at(&self) -> LogicalTime {
        self.asked_at
    }

    /// Returns the time until which the node has all acknowledged changes; zero if that is not known.
    pub fn replicated_up_to(&self) -> LogicalTime {
        self.replicated_up_to
    }

    /// Returns the time for which changes may be missing; `None` if that is not known.
    pub fn lag(&self, now: LogicalTime) -> Option<Duration> {
        let known = self.replicated_up_to > LogicalTime::ZERO;
        known.then(|| Duration::from_millis(now.ms().saturating_sub(self.replicated_up_to.ms())))
    }

    /// Records which connections there are.
    pub fn set_connectivity(&mut self, connectivity: Connectivity) {
        self.connectivity = connectivity;
    }

    /// Returns true if the result of an election that was held with this answer of the node would change the state.
    pub fn differs_from_election(&self, seen: &ReplicationInfo, lineage: Lineage) -> bool {
        (self.lineage, self.flushes_judged) != (lineage, seen.flushes) || (self.awaits_election && self.is_still(seen))
    }

    /// Records the result of an election that was held with this answer of the node: the origin of its data.
    pub fn record_election(&mut self, seen: &ReplicationInfo, lineage: Lineage, progress: &ReplicationProgress) {
        (self.lineage, self.flushes_judged) = (lineage, seen.flushes);
        if self.awaits_election && self.is_still(seen) {
            self.awaits_election = false;
            // The offset of a master counts only from now on.
            self.record_progress(progress);
        }
    }

    /// Returns true if the last answer is of the same process in the same history.
    fn is_still(&self, seen: &ReplicationInfo) -> bool {
        self.answer.as_ref().is_some_and(|now| seen.is_same_master_as(now) || !now.is_master())
    }

    /// Records if the node refuses to answer reads as a replica of a Redis Cluster. Returns true if that is a change.
    pub fn set_refuses_replica_reads(&mut self, refuses: bool) -> bool {
        std::mem::replace(&mut self.refuses_replica_reads, refuses) != refuses
    }

    /// Forgets how far the node has replicated.
    pub fn clear_progress(&mut self) {
        self.replicated_up_to = LogicalTime::ZERO;
    }

    /// Marks the last answer as outdated, if no connection is open: the node may have been restarted since.
    pub fn mark_outdated(&mut self) {
        if !self.is_up() {
            self.is_outdated = true;
            self.clear_progress();
        }
    }

    /// Records what the node answered to a question that was sent at `asked_at`. An answer to an older question than
    /// the last one's is ignored: another connection has brought a newer answer.
    pub fn record_answer(
        &mut self,
        mut answer: Option<ReplicationInfo>,
        asked_at: LogicalTime,
        progress: &ReplicationProgress,
    ) -> AnswerEffect {
        if self.asked_at > asked_at {
            return AnswerEffect::default();
        }
        let before = self.current_answer().cloned();
        if let (Some(before), Some(now)) = (&before, &answer)
            // A restarted node may have gone back to an older file.
            && (before.replication_id != now.replication_id || now.offset < before.offset)
        {
            self.clear_progress();
        }
        if let Some(last) = &self.answer {
            answer = answer.map(|now| now.after(last, self.is_outdated));
        }
        self.keeps_former_data = answer.as_ref().is_some_and(|now| self.keeps_data_as(now));
        self.awaits_election = match (&self.answer, &answer) {
            (_, None) => false,
            (None, Some(now)) => now.is_master(),
            (Some(last), Some(now)) => now.is_master() && (self.awaits_election || !last.is_same_master_as(now)),
        };
        let role_hidden = answer.is_none() && !self.hides_role;
        self.hides_role = answer.is_none();
        (self.answer, self.asked_at, self.is_outdated) = (answer, asked_at, false);
        let progressed = self.record_progress(progress);
        AnswerEffect {
            changed: before != self.answer || progressed,
            role_changed: !match (before, self.role()) {
                (Some(before), Some(now)) => before.role.is_same_kind(now),
                (before, now) => before.is_none() && now.is_none(),
            },
            role_hidden,
        }
    }

    /// Returns true if the node, which answers this now, still has the data that it had as a master.
    fn keeps_data_as(&self, now: &ReplicationInfo) -> bool {
        let is_unsynced = matches!(now.role, ReplicationRole::Replica { synced: false, .. }) && !now.loading;
        let was_flushed = self.flushes != now.flushes;
        let last = self.current_answer().filter(|last| last.run_id == now.run_id && !last.loading);
        is_unsynced && !was_flushed && last.is_some_and(|last| last.is_master() || self.keeps_former_data)
    }

    /// Records a master's offset in `progress`, or derives how far a replica has come from it. Returns true if a
    /// replica has come further.
    fn record_progress(&mut self, progress: &ReplicationProgress) -> bool {
        let Some(answer) = self.answer.as_ref().filter(|answer| !answer.loading) else { return false };
        match answer.role {
            ReplicationRole::Master if self.lineage.is_of_shard() && !self.awaits_election => {
                progress.record_master_offset(&answer.replication_id, self.asked_at, answer.offset);
                false
            }
            // While the link is down, the offset proves nothing.
            ReplicationRole::Replica { down_for: None, .. } => {
                let reached = progress.replicated_up_to(&answer.replication_id, answer.offset);
                let reached = reached.filter(|reached| *reached > self.replicated_up_to);
                self.replicated_up_to = reached.unwrap_or(self.replicated_up_to);
                reached.is_some()
            }
            _ => false,
        }
    }

    fn current_answer(&self) -> Option<&ReplicationInfo> {
        self.answer.as_ref().filter(|_| !self.is_outdated)
    }

    /// Returns the role in the last answer. An outdated answer counts: until the next one nothing else is known.
    pub fn role(&self) -> Option<ReplicationRole> {
        self.answer.as_ref().map(|answer| answer.role)
    }

    fn link_down_for(&self) -> Option<Duration> {
        match self.role() {
            Some(ReplicationRole::Replica { down_for, .. }) => down_for,
            _ => None,
        }
    }

    fn is_stale(&self) -> bool {
        self.link_down_for().zip(self.stale_max).is_some_and(|(down_for, max)| down_for > max)
    }

    /// Returns true if the node is reading its data from a file, and refuses commands until then.
    pub fn is_loading(&self) -> bool {
        self.answer.as_ref().is_some_and(|answer| answer.loading)
    }

    fn has_replica_data(&self) -> bool {
        !self.is_loading() && matches!(self.role(), Some(ReplicationRole::Replica { synced: true, .. }))
    }

    fn lacks_data(&self) -> bool {
        let is_unsynced = matches!(self.role(), Some(ReplicationRole::Replica { synced: false, .. }));
        self.is_loading() || (is_unsynced && !self.keeps_former_data)
    }
}

#[cfg(test)]
mod tests;
