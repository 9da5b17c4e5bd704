//! The errors of nodes and of the store, and what a caller can do about them.

mod advice;
mod connection;
mod node;

pub use advice::Advice;
pub use connection::ConnectionFailure;
pub use node::NodeError;

use crate::{store::protocol::refusal::ServerRefusal, telemetry::metrics::Outcome, types::ReplyMemoryError};
use std::sync::Arc;

/// The kind of access that an operation makes to a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// A read, which may run twice without harm.
    Read,
    /// A change, which may have run although its answer did not come.
    Write,
}

/// The reason why the store could not do what it was asked.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// Nothing was done: no node that could do it is reachable.
    #[error("shard \"{shard}\" is unavailable")]
    Unavailable {
        /// The name of the shard.
        shard: Arc<str>,
        /// The error of the last node that was asked.
        #[source]
        cause: NodeError,
    },
    /// Nothing was done: two nodes call themselves master, and nothing proves which of them is.
    #[error("two nodes of shard \"{shard}\" call themselves master, and neither is proven")]
    MasterContested {
        /// The name of the shard.
        shard: Arc<str>,
    },
    /// Nothing was done: another node was announced as the master, and does not answer.
    #[error("another node was announced as the master of shard \"{shard}\", and does not answer")]
    MasterDeposed {
        /// The name of the shard.
        shard: Arc<str>,
    },
    /// Nothing was done: the master came back without the data that its replicas have.
    #[error("the master of shard \"{shard}\" came back without the data of its replicas")]
    MasterHeld {
        /// The name of the shard.
        shard: Arc<str>,
    },
    /// A write was sent and its answer did not come.
    #[error("shard \"{shard}\" did not confirm the write")]
    Unconfirmed {
        /// The name of the shard.
        shard: Arc<str>,
        /// The error of the node that the write was sent to.
        #[source]
        cause: NodeError,
    },
    /// The deadline passed before a node answered.
    #[error("the deadline passed while waiting for shard \"{shard}\"")]
    DeadlinePassed {
        /// The name of the shard.
        shard: Arc<str>,
        /// The error of the last node that was asked.
        #[source]
        cause: NodeError,
    },
    /// Too many commands wait for the shard's answers.
    #[error("shard \"{shard}\" is overloaded")]
    Overloaded {
        /// The name of the shard.
        shard: Arc<str>,
        /// The error of the last node that was asked.
        #[source]
        cause: NodeError,
    },
    /// The master has reached its limit of memory.
    #[error("shard \"{shard}\" is out of memory")]
    OutOfMemory {
        /// The name of the shard.
        shard: Arc<str>,
        /// The error of the master.
        #[source]
        cause: NodeError,
    },
    /// The value, or the values of a batch together, are larger than a reply may be.
    #[error("the reply would be too large")]
    ReplyTooLarge,
    /// The replies of the client, or of all clients, take all memory that they may.
    #[error("the replies take all memory that they may")]
    NoReplyMemory,
    /// The key holds a list, a hash, a set or the like.
    #[error("the key holds something other than a string")]
    WrongType,
}

impl From<ReplyMemoryError> for StoreError {
    fn from(error: ReplyMemoryError) -> Self {
        match error {
            ReplyMemoryError::TooLarge => Self::ReplyTooLarge,
            ReplyMemoryError::Exhausted => Self::NoReplyMemory,
        }
    }
}

impl StoreError {
    /// Returns the error of an operation that failed because of `cause`, the error of the last node that was asked.
    pub fn new(access: Access, shard: Arc<str>, cause: NodeError) -> Self {
        match (access, &cause) {
            (Access::Read, NodeError::NoRoom) => Self::ReplyTooLarge,
            (Access::Read, NodeError::NoMemory) => Self::NoReplyMemory,
            (_, NodeError::Refused { refusal: ServerRefusal::WrongType, .. }) => Self::WrongType,
            (Access::Write, NodeError::Refused { refusal: ServerRefusal::OutOfMemory, .. }) => {
                Self::OutOfMemory { shard, cause }
            }
            (Access::Write, NodeError::Lost | NodeError::Unexpected) => Self::Unconfirmed { shard, cause },
            (Access::Write, NodeError::TimedOut | NodeError::Hung) => Self::DeadlinePassed { shard, cause },
            (_, NodeError::Busy) => Self::Overloaded { shard, cause },
            _ => Self::Unavailable { shard, cause },
        }
    }

    /// Turns the error of a change that was not made by the last shard that was asked into that of a change that may have
    /// been made, because another one may have made it.
    pub fn mark_unconfirmed(&mut self) {
        if let Self::Unavailable { shard, cause }
        | Self::Overloaded { shard, cause }
        | Self::OutOfMemory { shard, cause } = self
        {
            *self = Self::Unconfirmed { shard: Arc::clone(shard), cause: cause.clone() };
        } else if let Self::MasterContested { shard } | Self::MasterDeposed { shard } | Self::MasterHeld { shard } =
            self
        {
            *self = Self::Unconfirmed { shard: Arc::clone(shard), cause: NodeError::NotMaster };
        }
    }

    /// Returns the name of the shard that failed; `None` if the failure is not that of a shard.
    pub fn shard(&self) -> Option<&Arc<str>> {
        match self {
            Self::Unavailable { shard, .. }
            | Self::MasterContested { shard }
            | Self::MasterDeposed { shard }
            | Self::MasterHeld { shard }
            | Self::Unconfirmed { shard, .. }
            | Self::DeadlinePassed { shard, .. }
            | Self::Overloaded { shard, .. }
            | Self::OutOfMemory { shard, .. } => Some(shard),
            Self::ReplyTooLarge | Self::NoReplyMemory | Self::WrongType => None,
        }
    }

    /// Returns the outcome under which the error is counted.
    pub fn outcome(&self) -> Outcome {
        match self {
            Self::Unavailable { .. }
            | Self::MasterContested { .. }
            | Self::MasterDeposed { .. }
            | Self::MasterHeld { .. } => Outcome::Unavailable,
            Self::Unconfirmed { .. } => Outcome::WriteUnconfirmed,
            Self::DeadlinePassed { .. } => Outcome::DeadlinePassed,
            Self::Overloaded { .. } | Self::NoReplyMemory => Outcome::Overloaded,
            Self::OutOfMemory { .. } => Outcome::OutOfMemory,
            Self::ReplyTooLarge | Self::WrongType => Outcome::ClientError,
        }
    }

    /// Returns true if nodes of a Redis Cluster refused the operation because another node has the slot, or no node
    /// serves it now.
    pub fn is_redirection(&self) -> bool {
        matches!(self, Self::Unavailable { cause, .. } if cause.is_redirection())
    }

    /// Returns the best reaction of the caller.
    pub fn advice(&self) -> Advice {
        match self {
            Self::WrongType | Self::ReplyTooLarge => Advice::GiveUp,
            _ => Advice::RetryLater,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::protocol::server_text::ServerText;

    fn refused(code: &str) -> NodeError {
        NodeError::Refused { refusal: ServerRefusal::parse(code, ""), detail: ServerText::default() }
    }

    #[test]
    fn only_a_write_without_an_answer_is_unconfirmed() {
        assert!(matches!(StoreError::new(Access::Write, "s".into(), NodeError::Lost), StoreError::Unconfirmed { .. }));
        assert!(matches!(StoreError::new(Access::Read, "s".into(), NodeError::Lost), StoreError::Unavailable { .. }));
        let never_sent = StoreError::new(Access::Write, "s".into(), NodeError::NotConnected);
        assert!(matches!(never_sent, StoreError::Unavailable { .. }));
    }

    #[test]
    fn a_refusal_is_an_error_of_its_own_where_the_caller_can_act_on_it() {
        assert!(matches!(StoreError::new(Access::Read, "s".into(), refused("WRONGTYPE")), StoreError::WrongType));
        let out_of_memory = StoreError::new(Access::Write, "s".into(), refused("OOM"));
        assert!(matches!(out_of_memory, StoreError::OutOfMemory { .. }));
        assert!(matches!(StoreError::new(Access::Write, "s".into(), refused("BUSY")), StoreError::Unavailable { .. }));
    }

    #[test]
    fn a_value_of_another_type_is_asked_of_no_other_node() {
        assert_eq!(refused("WRONGTYPE").advice(), Advice::GiveUp);
        assert_eq!(refused("LOADING").advice(), Advice::RetryElsewhere);
        assert_eq!(StoreError::WrongType.advice(), Advice::GiveUp);
    }
}
