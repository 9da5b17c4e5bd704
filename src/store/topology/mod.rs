//! How shards and their nodes are known: listed, named by sentinels, or those of a Redis Cluster.

pub mod cluster;
pub mod sentinel;
mod static_shards;
pub mod supervisor;
