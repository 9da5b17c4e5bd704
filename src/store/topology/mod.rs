//! The sources of the shard map: shards that the settings list, Sentinels, or a Redis Cluster.

pub mod cluster;
mod error;
pub mod sentinel;
mod source;
mod static_shards;
pub mod supervisor;

pub use error::DiscoveryError;
pub use source::TopologySource;
