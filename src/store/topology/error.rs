//! Errors of reading and applying the topology.

use crate::{
    store::{error::ConnectionFailure, node::connect::ConnectError},
    types::Address,
};
use redis::RedisError;

/// A reason why the topology could not be read or applied.
#[derive(Debug, thiserror::Error)]
pub enum TopologyError {
    /// No connection could be opened.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The connection failed, or the server refused the command.
    #[error(transparent)]
    Redis(#[from] ConnectionFailure),
    /// A sentinel or a node did not answer within the connect timeout.
    #[error("it did not answer in time")]
    TimedOut,
    /// The connection ended between two commands.
    #[error("the connection was lost")]
    Lost,
    /// The answer does not have the form that the command's documentation describes.
    #[error("its answer to {command} cannot be read")]
    Unreadable {
        /// The command that was sent.
        command: &'static str,
    },
    /// A node of the settings could not be asked.
    #[error("{address}")]
    Seed {
        /// The address of the node.
        address: Address,
        /// The reason.
        #[source]
        cause: Box<TopologyError>,
    },
    /// The nodes of a Redis Cluster answered, and none of them has slots.
    #[error("no node has slots")]
    NoSlots,
    /// The time for learning the slots of a Redis Cluster has passed.
    #[error("no node of the Redis Cluster answered in time")]
    NoAnswer,
}

impl From<RedisError> for TopologyError {
    fn from(error: RedisError) -> Self {
        Self::Redis(error.into())
    }
}

/// A reason why the place of a key could not be learned.
#[derive(Debug, thiserror::Error)]
pub enum DiscoveryError {
    /// No node of the Redis Cluster named the slots.
    #[error("the nodes of the cluster cannot be asked")]
    Cluster(#[source] TopologyError),
    /// No sentinel named the nodes of the shard.
    #[error("no sentinel named the nodes of shard \"{shard}\" in time: {problems}")]
    Sentinels {
        /// The name of the shard.
        shard: String,
        /// The problems of the sentinels, separated by semicolons.
        problems: String,
    },
}
