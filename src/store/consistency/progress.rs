//! The offsets that a master has reached over time, and the times that a replica's offset covers.

use super::clock::LogicalTime;
use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// Number of a master's offsets that are kept. A replica that is behind all of them has replicated up to no known time.
/// While changes are made without a pause, an offset is known about every 10 ms, so these cover 5 s.
const CHECKPOINTS_MAX: usize = 512;

/// The offsets that the master of a shard has reached over time. The nodes of the shard share them.
#[derive(Default)]
pub struct ReplicationProgress(Mutex<Checkpoints>);

#[derive(Default)]
struct Checkpoints {
    /// The history that the offsets belong to.
    replication_id: String,
    /// Times and offsets, both ascending: everything acknowledged until the time lies within the offset.
    offsets: VecDeque<(LogicalTime, u64)>,
}

impl ReplicationProgress {
    /// Records the offset that a master answered to a question that was sent at `asked_at`. Answers may come in another
    /// order than their questions were sent in.
    pub fn record_master_offset(&self, replication_id: &str, asked_at: LogicalTime, offset: u64) {
        let mut checkpoints = self.checkpoints();
        if checkpoints.replication_id != replication_id {
            *checkpoints = Checkpoints { replication_id: replication_id.to_owned(), offsets: VecDeque::new() };
        }
        if checkpoints
            .offsets
            .back()
            .is_some_and(|(time, known)| *time > asked_at || (*time == asked_at && *known <= offset))
        {
            // What is known says more.
            return;
        }
        // The offset covers more time than the same offset or a larger one did before.
        while checkpoints.offsets.back().is_some_and(|(_, known)| *known >= offset) {
            checkpoints.offsets.pop_back();
        }
        checkpoints.offsets.push_back((asked_at, offset));
        if checkpoints.offsets.len() > CHECKPOINTS_MAX {
            checkpoints.offsets.pop_front();
        }
    }

    /// Returns the time up to which a replica of this history has replicated when it has reached `offset`; `None` if
    /// that is not known.
    pub fn replicated_up_to(&self, replication_id: &str, offset: u64) -> Option<LogicalTime> {
        let checkpoints = self.checkpoints();
        if checkpoints.replication_id != replication_id {
            return None;
        }
        let reached = checkpoints.offsets.partition_point(|(_, known)| *known <= offset);
        reached.checked_sub(1).map(|last| checkpoints.offsets[last].0)
    }

    fn checkpoints(&self) -> MutexGuard<'_, Checkpoints> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> LogicalTime {
        LogicalTime::from_ms(ms)
    }

    #[test]
    fn a_replica_has_replicated_up_to_the_last_time_whose_offset_it_has_reached() {
        let progress = ReplicationProgress::default();
        assert_eq!(progress.replicated_up_to("a", 100), None);
        progress.record_master_offset("a", at(10), 100);
        progress.record_master_offset("a", at(20), 200);
        progress.record_master_offset("a", at(30), 200);
        assert_eq!(progress.replicated_up_to("a", 99), None);
        assert_eq!(progress.replicated_up_to("a", 199), Some(at(10)));
        assert_eq!(progress.replicated_up_to("a", 200), Some(at(30)));
    }

    #[test]
    fn answers_that_come_late_take_nothing_back() {
        let progress = ReplicationProgress::default();
        progress.record_master_offset("a", at(10), 100);
        progress.record_master_offset("a", at(30), 200);
        progress.record_master_offset("a", at(20), 150);
        assert_eq!(progress.replicated_up_to("a", 199), Some(at(10)));
        // A later question that the master answered first: the smaller offset covers more time.
        progress.record_master_offset("a", at(40), 180);
        assert_eq!(progress.replicated_up_to("a", 180), Some(at(40)));
        assert_eq!(progress.replicated_up_to("a", 179), Some(at(10)));
        progress.record_master_offset("a", at(40), 190);
        assert_eq!(progress.replicated_up_to("a", 180), Some(at(40)));
    }

    #[test]
    fn offsets_of_another_history_mean_nothing() {
        let progress = ReplicationProgress::default();
        progress.record_master_offset("a", at(30), 200);
        assert_eq!(progress.replicated_up_to("b", 900), None);
        progress.record_master_offset("b", at(40), 50);
        assert_eq!(progress.replicated_up_to("a", 200), None);
        assert_eq!(progress.replicated_up_to("b", 50), Some(at(40)));
    }

    #[test]
    fn the_oldest_offsets_are_dropped() {
        let progress = ReplicationProgress::default();
        for number in 0..1000 {
            progress.record_master_offset("a", at(number), number);
        }
        let oldest = 1000 - 512;
        assert_eq!(progress.replicated_up_to("a", oldest - 1), None);
        assert_eq!(progress.replicated_up_to("a", oldest), Some(at(oldest)));
    }
}
