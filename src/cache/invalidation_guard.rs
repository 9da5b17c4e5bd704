//! The invalidation of keys in the near cache while this process changes them.

use super::{near::NearValues, value_cache::Cache};
use crate::types::FullKey;

/// Invalidates the keys now and again on drop: before the change, so that no read joins a fetch of the old value, and
/// after it, however it ended, because the old value may have been fetched meanwhile.
pub struct InvalidationGuard<'k> {
    near: Option<&'k NearValues>,
    keys: &'k [&'k FullKey<'k>],
}

impl Cache {
    /// Invalidates the keys, and again when the guard is dropped.
    pub(super) fn invalidation_guard<'k>(&'k self, keys: &'k [&'k FullKey<'k>]) -> InvalidationGuard<'k> {
        let guard = InvalidationGuard { near: self.near.as_ref(), keys };
        guard.invalidate();
        guard
    }
}

impl InvalidationGuard<'_> {
    fn invalidate(&self) {
        if let Some(near) = self.near {
            self.keys.iter().for_each(|key| near.invalidate(key));
        }
    }
}

impl Drop for InvalidationGuard<'_> {
    fn drop(&mut self) {
        self.invalidate();
    }
}
