//! A value of the near cache.

use tokio::time::Instant;

/// A value with its size and its expiry.
pub struct CachedValue<V> {
    /// The value.
    pub value: V,
    /// The size of the value in bytes.
    pub(super) bytes: usize,
    /// The time from which the value is not served any more.
    pub(super) expires_at: Instant,
}
