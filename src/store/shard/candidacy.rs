//! The candidacy of a node that calls itself master without proof, while the listed master is down.
//!
//! An instance that has just started knows no history of the shard. If the listed master is down and another node calls
//! itself master, that node may have been promoted, or may have been started empty in place of one that was. So there is time
//! to promote a node that has the data before it is used.

use crate::{store::node::replication::ReplicationInfo, types::Address};
use std::time::Duration;
use tokio::time::Instant;

/// The candidacies of a shard's nodes.
#[derive(Default)]
pub struct Candidacy {
    /// The history of the last candidate, and the time at which it is accepted.
    last: Option<(String, Instant)>,
    /// The node that is a candidate now.
    current: Option<Address>,
}

/// The state of a candidacy after an election.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CandidacyState {
    /// The candidate waits until this time; `begins` is true if it is a candidate for the first time.
    Waits {
        /// The time at which the candidate is accepted.
        until: Instant,
        /// Its process was no candidate before.
        begins: bool,
    },
    /// The time is up: the candidate is the master from now on.
    Accepted,
}

impl Candidacy {
    /// Records that a node is the candidate, which waits for `hold_time` after it was first seen.
    pub fn set(&mut self, node: &Address, info: &ReplicationInfo, hold_time: Duration, now: Instant) -> CandidacyState {
        let history = &info.replication_id;
        let known = self.last.as_ref().filter(|(last, _)| last == history).map(|(_, until)| *until);
        let until = known.unwrap_or(now + hold_time);
        if until <= now {
            self.current = None;
            return CandidacyState::Accepted;
        }
        self.last = Some((history.clone(), until));
        self.current = Some(node.clone());
        CandidacyState::Waits { until, begins: known.is_none() }
    }

    /// Records that no node is a candidate. A candidate that comes back goes on to wait.
    pub fn clear(&mut self) {
        self.current = None;
    }

    /// Returns the node that is a candidate now.
    pub fn current(&self) -> Option<&Address> {
        self.current.as_ref()
    }
}
