//! How far the master's writing has come, and which moments a replica's offset covers.

use super::LogicalTime;
use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
};

/// Moments at which a master's offset was learned that are kept; a replica that lags behind all of them has passed
/// none.
const CHECKPOINTS_MAX: usize = 64;

/// How far the writing of one history has come, moment by moment. Shared by the nodes of a shard.
#[derive(Default)]
pub struct ReplicationProgress(Mutex<Checkpoints>);

#[derive(Default)]
struct Checkpoints {
    history: String,
    /// In both parts ascending: everything acknowledged until the moment lies within the offset.
    known: VecDeque<(LogicalTime, u64)>,
}

impl ReplicationProgress {
    /// Notes what a master answered that was asked at that moment.
    pub fn record_master_offset(&self, history: &str, asked: LogicalTime, offset: u64) {
        let mut checkpoints = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if checkpoints.history != history {
            *checkpoints = Checkpoints { history: history.to_owned(), known: VecDeque::new() };
        }
        match checkpoints.known.back_mut() {
            // Nothing was written in between, so the same offset covers more time.
            Some((moment, known)) if *known == offset => *moment = asked.max(*moment),
            _ => checkpoints.known.push_back((asked, offset)),
        }
        if checkpoints.known.len() > CHECKPOINTS_MAX {
            checkpoints.known.pop_front();
        }
    }

    /// The moment that a replica of this history has passed which has come so far; `None` if that is not known.
    pub fn replicated_up_to(&self, history: &str, offset: u64) -> Option<LogicalTime> {
        let checkpoints = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if checkpoints.history != history {
            return None;
        }
        checkpoints.known.iter().rev().find(|(_, known)| *known <= offset).map(|(moment, _)| *moment)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(ms: u64) -> LogicalTime {
        LogicalTime::from_ms(ms)
    }

    #[test]
    fn a_replica_has_passed_the_last_moment_whose_offset_it_has_reached() {
        let progress = ReplicationProgress::default();
        assert_eq!(progress.replicated_up_to("a", 100), None);
        progress.record_master_offset("a", moment(10), 100);
        progress.record_master_offset("a", moment(20), 200);
        progress.record_master_offset("a", moment(30), 200);
        assert_eq!(progress.replicated_up_to("a", 99), None);
        assert_eq!(progress.replicated_up_to("a", 199), Some(moment(10)));
        assert_eq!(progress.replicated_up_to("a", 200), Some(moment(30)));
        assert_eq!(progress.replicated_up_to("b", 900), None);
        progress.record_master_offset("b", moment(40), 50);
        assert_eq!(progress.replicated_up_to("a", 200), None);
        assert_eq!(progress.replicated_up_to("b", 50), Some(moment(40)));
    }

    #[test]
    fn only_so_many_checkpoints_are_kept() {
        let progress = ReplicationProgress::default();
        for number in 0..1000 {
            progress.record_master_offset("a", moment(number), number);
        }
        assert_eq!(progress.replicated_up_to("a", 1000 - 65), None);
        assert_eq!(progress.replicated_up_to("a", 1000 - 64), Some(moment(1000 - 64)));
    }
}
