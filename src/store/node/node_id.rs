//! The identity of a node.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// The identity of a node. A node that takes over the address of another one has an identity of its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(u64);

impl NodeId {
    /// Returns an identity that no other node of this process has.
    pub fn next() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self(NEXT.fetch_add(1, Relaxed))
    }

    /// Returns the identity as a number.
    pub fn number(self) -> u64 {
        self.0
    }
}
