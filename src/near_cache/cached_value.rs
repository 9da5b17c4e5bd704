//! A value of the near cache, and the handles on it.

use std::{ops::Deref, sync::Arc};
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

/// A handle on a value.
pub enum CachedHandle<V> {
    /// A handle that all workers count together.
    Shared(Arc<CachedValue<V>>),
    /// A handle that one worker counts.
    Own(Arc<OwnHandle<V>>),
}

/// The handle of one worker, and the key of the value.
pub struct OwnHandle<V> {
    pub(super) key: Box<[u8]>,
    pub(super) cached: Arc<CachedValue<V>>,
}

impl<V> CachedHandle<V> {
    /// Returns the handle that all workers count together.
    pub fn shared(&self) -> &Arc<CachedValue<V>> {
        match self {
            Self::Shared(cached) => cached,
            Self::Own(own) => &own.cached,
        }
    }
}

impl<V> Clone for CachedHandle<V> {
    fn clone(&self) -> Self {
        match self {
            Self::Shared(cached) => Self::Shared(Arc::clone(cached)),
            Self::Own(own) => Self::Own(Arc::clone(own)),
        }
    }
}

impl<V> Deref for CachedHandle<V> {
    type Target = CachedValue<V>;

    fn deref(&self) -> &CachedValue<V> {
        self.shared()
    }
}
