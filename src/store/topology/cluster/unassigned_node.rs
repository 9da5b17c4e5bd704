//! A connected node without slots.

use crate::{store::shard::Shard, types::Address};
use std::sync::Arc;
use tokio::time::Instant;

/// A connected node without slots. A redirection named it, or it had slots and may be moving to another shard.
pub struct UnassignedNode {
    /// The time at which the node was added.
    pub since: Instant,
    /// The address of the node.
    pub address: Address,
    /// A shard of its own with this node only.
    pub shard: Arc<Shard>,
}
