//! A Redis Cluster: its slots replace the ring, and the cluster itself decides about failovers.
//!
//! A background task asks nodes for the slots and publishes a map after their answers. In between, an operation that
//! gets a redirection (`MOVED`) changes the map at once.

pub mod layout;
mod moving_slots;
mod redis_cluster;
mod refresh;
mod unassigned;
mod unassigned_node;
pub mod view;

pub use redis_cluster::Cluster;
