//! The meaning of a node's failure for the operation on its shard.

use super::{attempts::Attempts, redis_shard::Shard, standing::MasterStanding};
use crate::{
    store::error::{Access, NodeError, StoreError},
    telemetry::metrics::ShardFailure,
    types::Deadline,
};

impl Shard {
    /// Returns the error of a read whose last attempt failed with `cause`.
    pub fn read_failure(&self, cause: NodeError) -> StoreError {
        StoreError::new(Access::Read, self.name(), cause)
    }

    /// Returns the error of a write that failed with `cause`.
    pub fn write_failure(&self, cause: NodeError) -> StoreError {
        StoreError::new(Access::Write, self.name(), cause)
    }

    /// Returns the error of a read for which no node is left.
    pub fn no_reader_error(&self, attempts: &Attempts, deadline: Deadline) -> StoreError {
        let cause = self.members.load().last_error(attempts);
        // A read that waited in vain for the successor of a demoted master found no master.
        if deadline.has_passed() && !cause.is_demotion() {
            StoreError::DeadlinePassed { shard: self.name(), cause }
        } else {
            self.read_failure(cause)
        }
    }

    /// Counts a command that failed with this error.
    pub fn record_failure(&self, error: &StoreError) {
        if let Some(cause) = self.failure(error) {
            self.failures.count(cause);
        }
    }

    /// Returns the cause of an error; `None` if it is not that of a shard.
    fn failure(&self, error: &StoreError) -> Option<ShardFailure> {
        Some(match error {
            StoreError::Unavailable { .. } if self.is_master_up() => ShardFailure::Refused,
            StoreError::Unavailable { .. } | StoreError::MasterDeposed { .. } => ShardFailure::MasterDown,
            StoreError::MasterContested { .. } => ShardFailure::TwoMasters,
            StoreError::MasterHeld { .. } => ShardFailure::MasterHeld,
            StoreError::Unconfirmed { .. } => ShardFailure::Unconfirmed,
            StoreError::DeadlinePassed { .. } => ShardFailure::DeadlinePassed,
            StoreError::Overloaded { .. } => ShardFailure::Overloaded,
            StoreError::OutOfMemory { .. } => ShardFailure::OutOfMemory,
            StoreError::ReplyTooLarge | StoreError::NoReplyMemory | StoreError::WrongType => return None,
        })
    }

    /// Returns the result of a read for which no node is left: a replica's answer that the key does not exist counts
    /// while its master is known to be lost.
    pub fn miss_or<T>(&self, attempts: &Attempts, error: StoreError) -> Result<Option<T>, StoreError> {
        let members = self.members.load();
        let is_master_lost = members.standing() == MasterStanding::Held
            || members.master().is_some_and(|master| {
                let state = master.state();
                !state.is_up() && !state.is_connecting()
            });
        if attempts.has_missed() && is_master_lost { Ok(None) } else { Err(error) }
    }
}
