//! The sources of the shard map: shards that the settings list, Sentinels, or a Redis Cluster.

pub mod cluster;
mod connection_check;
mod error;
pub mod sentinel;
mod source;
mod static_shards;
pub mod supervisor;

pub use connection_check::{ConnectionReport, EndpointCheck, ServerFacts, check_connections};
pub use error::DiscoveryError;
pub use source::TopologySource;
