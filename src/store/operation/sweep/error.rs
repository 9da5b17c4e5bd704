//! The reasons why a shard cannot be swept.

use crate::{
    store::{
        error::{NodeError, StoreError},
        protocol::{refusal::ServerRefusal, server_text::ServerText},
    },
    types::Address,
};
use std::sync::Arc;

/// The reason why a step of a sweep failed.
#[derive(Debug, thiserror::Error)]
pub enum SweepError {
    /// The settings list no shard with this name.
    #[error("there is no shard \"{0}\"")]
    UnknownShard(String),
    /// The nodes belong to a Redis Cluster.
    #[error("the nodes belong to a Redis Cluster, which moves its own keys: nothing is misplaced there")]
    Cluster,
    /// The master cannot be reached, or did not answer.
    #[error(transparent)]
    Unavailable(StoreError),
    /// The node that the settings name as master calls itself a replica.
    #[error("shard \"{shard}\" has no master: node {node} calls itself a replica")]
    NoMaster {
        /// The name of the shard.
        shard: Arc<str>,
        /// The address of the node.
        node: Address,
    },
    /// Another process has become the master since the keys were found.
    #[error("shard \"{shard}\" has another master, or its master was restarted")]
    Replaced {
        /// The name of the shard.
        shard: Arc<str>,
    },
    /// The user of Redis may not run a command.
    #[error("node {node} refuses a command: {detail}; a sweep needs +info +dbsize +scan +unlink")]
    Forbidden {
        /// The address of the node.
        node: Address,
        /// Redis's text, which names the command and the user.
        detail: ServerText,
    },
}

impl SweepError {
    /// Returns the meaning of a node's error; `unavailable` makes the error of a shard.
    pub fn new(node: &Address, error: NodeError, unavailable: impl FnOnce(NodeError) -> StoreError) -> Self {
        match error {
            NodeError::Refused { refusal: ServerRefusal::NoPermission, detail } => {
                Self::Forbidden { node: node.clone(), detail }
            }
            error => Self::Unavailable(unavailable(error)),
        }
    }

    /// Returns true if the same step may succeed a moment later.
    pub fn may_pass(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::NoMaster { .. })
    }
}
