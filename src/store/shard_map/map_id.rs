//! The identity of a shard map.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// The identity of a shard map. Two maps have different identities even if one replaced the other unchanged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MapId(u64);

impl MapId {
    /// Returns an identity that no other map of this process has.
    pub fn next() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self(NEXT.fetch_add(1, Relaxed))
    }
}
