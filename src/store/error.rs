//! What can go wrong between here and Redis, and what the caller can do about it.

use crate::telemetry::metrics::{NodeFailure, Outcome};
use redis::{RedisError, ServerError};
use std::sync::Arc;

/// What whoever meets an error can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Advice {
    /// Another node may well answer.
    RetryElsewhere,
    /// The same may work in a moment.
    RetryLater,
    /// The same will fail again.
    GiveUp,
}

/// Why one node did not do what it was asked.
#[derive(Clone, Debug, thiserror::Error)]
pub enum NodeError {
    #[error("not connected")]
    NotConnected,
    #[error("the connection was lost before the answer came")]
    Lost,
    #[error("no answer in time")]
    TimedOut,
    #[error("too many commands wait for its answers")]
    Busy,
    #[error("it answered {code}: {detail}")]
    Answered { code: String, detail: String },
    #[error("it answered with what the command never gives")]
    Unexpected,
    /// It answered, but the reply to the batch has no room for it.
    #[error("the reply is too large")]
    NoRoom,
}

impl NodeError {
    /// What it counts as.
    pub fn kind(&self) -> NodeFailure {
        match self {
            Self::NotConnected => NodeFailure::NotConnected,
            Self::Lost => NodeFailure::Lost,
            Self::TimedOut => NodeFailure::TimedOut,
            Self::Busy => NodeFailure::Busy,
            Self::Answered { .. } => NodeFailure::Answered,
            Self::Unexpected | Self::NoRoom => NodeFailure::Unexpected,
        }
    }

    pub fn advice(&self) -> Advice {
        match self {
            Self::Answered { code, .. } if code == "WRONGTYPE" => Advice::GiveUp,
            Self::NoRoom => Advice::GiveUp,
            _ => Advice::RetryElsewhere,
        }
    }

    /// True if it is certain that the node did not do what it was asked, so that another one may be asked.
    pub fn did_not_run(&self) -> bool {
        match self {
            Self::NotConnected => true,
            Self::Answered { code, .. } => {
                ["READONLY", "LOADING", "MASTERDOWN"].contains(&code.as_str()) || self.is_redirection()
            }
            _ => false,
        }
    }

    /// True if a node of a Redis Cluster refused because another one is to be asked, or because nobody has the
    /// slot now.
    pub fn is_redirection(&self) -> bool {
        let without = ["TRYAGAIN", "CLUSTERDOWN"];
        self.names_a_node() || matches!(self, Self::Answered { code, .. } if without.contains(&code.as_str()))
    }

    /// True if a node of a Redis Cluster refused and said which one is to be asked instead.
    pub fn names_a_node(&self) -> bool {
        matches!(self, Self::Answered { code, .. } if code == "MOVED" || code == "ASK")
    }
}

impl From<&ServerError> for NodeError {
    fn from(error: &ServerError) -> Self {
        Self::Answered { code: error.code().to_owned(), detail: error.details().unwrap_or_default().to_owned() }
    }
}

impl From<RedisError> for NodeError {
    fn from(error: RedisError) -> Self {
        match error.code() {
            Some(code) => {
                Self::Answered { code: code.to_owned(), detail: error.detail().unwrap_or_default().to_owned() }
            }
            None => Self::Lost,
        }
    }
}

/// Why the store could not do what it was asked.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// Nothing was done: no node that could do it is reachable.
    #[error("shard \"{shard}\" is unavailable")]
    Unavailable {
        shard: Arc<str>,
        #[source]
        cause: NodeError,
    },
    /// A write was sent and its answer did not come.
    #[error("shard \"{shard}\" did not confirm the write")]
    Unconfirmed {
        shard: Arc<str>,
        #[source]
        cause: NodeError,
    },
    #[error("the deadline passed while waiting for shard \"{shard}\"")]
    DeadlinePassed {
        shard: Arc<str>,
        #[source]
        cause: NodeError,
    },
    #[error("shard \"{shard}\" is overloaded")]
    Overloaded {
        shard: Arc<str>,
        #[source]
        cause: NodeError,
    },
    #[error("shard \"{shard}\" is out of memory")]
    OutOfMemory {
        shard: Arc<str>,
        #[source]
        cause: NodeError,
    },
    #[error("the values of this batch are too large together")]
    ReplyTooLarge,
    /// The key holds a list, hash, set, …
    #[error("the key holds something other than a string")]
    WrongType,
}

impl StoreError {
    /// What it counts as.
    pub fn outcome(&self) -> Outcome {
        match self {
            Self::Unavailable { .. } => Outcome::Unavailable,
            Self::Unconfirmed { .. } => Outcome::WriteUnconfirmed,
            Self::DeadlinePassed { .. } => Outcome::DeadlinePassed,
            Self::Overloaded { .. } => Outcome::Overloaded,
            Self::OutOfMemory { .. } => Outcome::OutOfMemory,
            Self::ReplyTooLarge | Self::WrongType => Outcome::ClientError,
        }
    }

    pub fn advice(&self) -> Advice {
        match self {
            Self::WrongType | Self::ReplyTooLarge => Advice::GiveUp,
            _ => Advice::RetryLater,
        }
    }
}

/// The reading of a node's error when the command was a write: it may have run.
pub struct WriteFailure(pub NodeError);

impl WriteFailure {
    pub fn of(self, shard: Arc<str>) -> StoreError {
        let cause = self.0;
        match &cause {
            NodeError::Lost | NodeError::Unexpected => StoreError::Unconfirmed { shard, cause },
            NodeError::TimedOut => StoreError::DeadlinePassed { shard, cause },
            NodeError::Busy => StoreError::Overloaded { shard, cause },
            NodeError::Answered { code, .. } if code == "OOM" => StoreError::OutOfMemory { shard, cause },
            NodeError::NotConnected | NodeError::NoRoom | NodeError::Answered { .. } => {
                StoreError::Unavailable { shard, cause }
            }
        }
    }
}
