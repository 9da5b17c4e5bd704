//! The errors of a single node.

use super::advice::Advice;
use crate::{
    store::protocol::{refusal::ServerRefusal, reply::ReplyError, server_mode::ServerMode, server_text::ServerText},
    telemetry::metrics::NodeFailure,
    types::ReplyMemoryError,
};
use redis::{RedisError, ServerError};

/// The reason why one node did not do what it was asked.
#[derive(Clone, Debug, thiserror::Error)]
pub enum NodeError {
    /// No connection to the node is open.
    #[error("not connected")]
    NotConnected,
    /// The command was sent, and the connection ended before the answer came.
    #[error("the connection was lost before the answer came")]
    Lost,
    /// The node did not answer before the timeout.
    #[error("no answer in time")]
    TimedOut,
    /// The node has answered no call for so long that it counts as hung; its connection is closed.
    #[error("no answer for so long that the node counts as hung")]
    Hung,
    /// The limit on commands in flight is reached, or that on changes that wait for replicas.
    #[error("too many commands wait for its answers")]
    Busy,
    /// The node refused the command.
    #[error("it answered {refusal}: {detail}")]
    Refused {
        /// The reason that Redis gives.
        refusal: ServerRefusal,
        /// Redis's text, for the log.
        detail: ServerText,
    },
    /// The node answered, but it is a replica now, and the read requires the master.
    #[error("it is no longer the master")]
    NotMaster,
    /// The node answered, but does not tell if it is the master, and the read requires the master.
    #[error("it refuses WAIT, so nothing proves that it is the master")]
    Unproven,
    /// The node dropped all its data while it was asked, as a replica of another master does.
    #[error("it dropped all its data while it was asked")]
    Flushed,
    /// The process at the address is none that a node of a shard can be.
    #[error("it is {}", .0.misuse_as_listed_node().unwrap_or(.0.name()))]
    WrongMode(ServerMode),
    /// The node sent a reply that the command never has.
    #[error("it sent a reply that the command never has")]
    Unexpected,
    /// The node answered, but the value is too large for a response, or for what a batch has left of it.
    #[error("the reply is too large")]
    NoRoom,
    /// The node answered, but the replies of the client, or of all clients, take all memory that they may.
    #[error("the replies take all memory that they may")]
    NoMemory,
}

impl NodeError {
    /// Returns the label under which the error is counted.
    pub fn kind(&self) -> NodeFailure {
        match self {
            Self::NotConnected => NodeFailure::NotConnected,
            Self::Lost => NodeFailure::Lost,
            Self::TimedOut | Self::Hung => NodeFailure::TimedOut,
            Self::Busy => NodeFailure::Busy,
            Self::Refused { .. } | Self::NotMaster | Self::Unproven | Self::Flushed | Self::WrongMode(_) => {
                NodeFailure::Answered
            }
            Self::Unexpected | Self::NoRoom | Self::NoMemory => NodeFailure::Unexpected,
        }
    }

    /// Returns the advice to a caller that reads from the node.
    pub fn advice(&self) -> Advice {
        match self {
            Self::Refused { refusal: ServerRefusal::WrongType, .. }
            | Self::NoRoom
            | Self::NoMemory
            | Self::Unproven => Advice::GiveUp,
            _ => Advice::RetryElsewhere,
        }
    }

    /// Returns the reason that Redis gave; `None` if the node did not refuse the command.
    pub fn refusal(&self) -> Option<&ServerRefusal> {
        if let Self::Refused { refusal, .. } = self { Some(refusal) } else { None }
    }

    /// Returns true if the node certainly did not run the command, so that another node may run it. A node that is no
    /// longer the master has run a read, which does no harm.
    pub fn did_not_run(&self) -> bool {
        matches!(self, Self::NotConnected | Self::NotMaster) || self.refusal().is_some_and(ServerRefusal::did_not_run)
    }

    /// Returns true if the error shows that the node serves nobody: it hangs, or it has lost its data or its master.
    pub fn shows_loss(&self) -> bool {
        matches!(self, Self::Hung | Self::Refused { refusal: ServerRefusal::Loading | ServerRefusal::MasterDown, .. })
    }

    /// Returns true if the node refused a write, or the proof of its role, because it is a replica.
    pub fn is_demotion(&self) -> bool {
        matches!(self, Self::NotMaster | Self::Refused { refusal: ServerRefusal::ReadOnly, .. })
    }

    /// Returns true if a node of a Redis Cluster refused because another node has the slot, or no node has it now.
    pub fn is_redirection(&self) -> bool {
        self.refusal().is_some_and(ServerRefusal::is_redirection)
    }

    /// Returns true if a node of a Redis Cluster refused because another node is to be asked.
    pub fn names_a_node(&self) -> bool {
        self.refusal().is_some_and(ServerRefusal::names_a_node)
    }
}

impl From<ReplyMemoryError> for NodeError {
    fn from(error: ReplyMemoryError) -> Self {
        match error {
            ReplyMemoryError::TooLarge => Self::NoRoom,
            ReplyMemoryError::Exhausted => Self::NoMemory,
        }
    }
}

impl From<ReplyError> for NodeError {
    fn from(error: ReplyError) -> Self {
        match error {
            ReplyError::Refused { refusal, detail } => Self::Refused { refusal, detail },
            ReplyError::TooLarge(_) => Self::NoRoom,
            ReplyError::Unexpected => Self::Unexpected,
        }
    }
}

impl From<&ServerError> for NodeError {
    fn from(error: &ServerError) -> Self {
        Self::from(ReplyError::from(error))
    }
}

impl From<RedisError> for NodeError {
    fn from(error: RedisError) -> Self {
        let Some(code) = error.code() else { return Self::Lost };
        Self::from(ReplyError::refused(code, error.detail().unwrap_or_default()))
    }
}
