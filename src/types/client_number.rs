//! The number of a client.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// The number of a client in this process. Limits per client are found by it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct ClientNumber(u32);

impl ClientNumber {
    /// The number of the process itself, which asks on behalf of no client.
    pub const INTERNAL: Self = Self(0);

    /// Returns a number that no other client has.
    pub fn next() -> Self {
        static LAST: AtomicU32 = AtomicU32::new(0);
        Self(LAST.fetch_add(1, Relaxed) + 1)
    }

    /// Returns the number as an index.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}
