//! How fresh the answer to a read must be.

use super::LogicalTime;

/// How fresh a read must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// Not older than what was changed through this process; where that cannot be had, because the master is lost,
    /// as good as can be had.
    ReadYourWrites,
    /// Not older than everything acknowledged until then, or not at all.
    Since(LogicalTime),
    /// From the master, or not at all.
    Master,
}

/// A read: what it is of, and what may answer it.
#[derive(Clone, Copy, Debug)]
pub struct ReadRequirement {
    /// Of the key: draws it to one of the replicas.
    pub hash: u64,
    /// A replica has to have passed this moment.
    pub since: LogicalTime,
    /// Rather no answer than one of a node that has not passed it.
    pub strict: bool,
    /// No replica will do.
    pub master_only: bool,
}
