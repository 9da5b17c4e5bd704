//! The settings of the near cache.

use std::time::Duration;

/// Values that this process caches itself.
#[derive(Debug)]
pub struct NearCacheConfig {
    /// The near cache is on.
    pub enabled: bool,
    /// Memory for all cached values.
    pub bytes_max: usize,
    /// Maximum age of a cached value, in case an invalidation is lost.
    pub age_max: Duration,
    /// Sealed values are cached in opened form.
    pub keep_opened: bool,
}
