//! The hash slots of a Redis Cluster.

/// The number of hash slots.
pub const SLOTS: u16 = 16_384;
