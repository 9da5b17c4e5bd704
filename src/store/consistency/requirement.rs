//! The requirements that a read makes of the node that answers it.

use super::clock::LogicalTime;
use std::num::NonZeroU32;

/// The freshness that a read needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// The answer covers all changes made through this process. While the master is lost, an older answer will do.
    ReadYourWrites,
    /// The answer covers everything acknowledged until then; else the read fails.
    Since(LogicalTime),
    /// The answer comes from the master; else the read fails.
    Master,
}

/// The requirements that a read makes of the node that answers it.
#[derive(Clone, Copy, Debug)]
pub struct ReadRequirement {
    /// The hash of the key, by which it chooses among replicas.
    pub hash: u64,
    /// The time that a replica has to have replicated up to.
    pub since: LogicalTime,
    /// Fails the read instead of returning data that does not cover `since`.
    pub strict: bool,
    /// Only the master may answer.
    pub master_only: bool,
    /// The watch that the key was under when the read began; `None` for nearly every key.
    pub watch: Option<NonZeroU32>,
}
