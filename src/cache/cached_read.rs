//! The result of a read in the form in which the near cache has it.

use super::{Cache, CacheError, Reply};
use crate::{
    near_cache::Fetched,
    store::{TrackedSource, TrackedValue},
    types::{Envelope, FullKey, Value, envelope},
};
use std::sync::{Arc, OnceLock};

/// The result of a read in the store.
pub struct CachedRead {
    found: FoundValue,
    /// The connection that reports changes of the key; `None` if no node reports changes.
    pub source: Option<TrackedSource>,
}

enum FoundValue {
    /// The key does not exist.
    Nothing,
    Open(Arc<Value<'static>>),
    /// A sealed value as Redis has it, and its opened form, where the settings allow caching it.
    Sealed(Vec<u8>, OnceLock<OpenedValue>),
}

/// The opened form of a sealed value.
struct OpenedValue {
    /// The number of the [`Cache`] that opened the value: a reload can change the encryption keys.
    cache: u64,
    value: Arc<Value<'static>>,
}

impl CachedRead {
    /// Decodes an answer of the store for the near cache. With `keep_opened`, a sealed value counts twice, because its
    /// opened form may be cached, too.
    pub fn fetched(TrackedValue { bytes, origin }: TrackedValue, keep_opened: bool) -> Fetched<Self> {
        let length = bytes.as_ref().map_or(0, Vec::len);
        let found = match bytes {
            None => FoundValue::Nothing,
            Some(bytes) => match envelope(&bytes) {
                Envelope::Sealed { .. } => FoundValue::Sealed(bytes, OnceLock::new()),
                Envelope::Open => FoundValue::Open(Arc::new(Value::decode(bytes))),
            },
        };
        let is_doubled = keep_opened && matches!(found, FoundValue::Sealed(..));
        let (source, ttl) = origin.map(|origin| (origin.source, origin.left)).unzip();
        Fetched { value: Self { found, source }, bytes: if is_doubled { 2 * length } else { length }, ttl }
    }
}

impl Cache {
    /// Returns the reply for a result that the near cache has.
    pub(super) fn cached_reply(
        &self,
        key: &FullKey<'_>,
        read: &CachedRead,
        keep_opened: bool,
    ) -> Result<Reply, CacheError> {
        let value = match &read.found {
            FoundValue::Nothing => return Ok(Reply::NotFound),
            FoundValue::Open(value) => Arc::clone(value),
            FoundValue::Sealed(bytes, opened) => {
                if let Some(opened) = opened.get().filter(|opened| opened.cache == self.number) {
                    return Ok(Reply::Found(Arc::clone(&opened.value)));
                }
                let value = Arc::new(Value::decode(self.open(key, bytes.clone())?));
                if keep_opened {
                    // Another request may have set the same value meanwhile.
                    let _set = opened.set(OpenedValue { cache: self.number, value: Arc::clone(&value) });
                }
                value
            }
        };
        Ok(Reply::Found(value))
    }
}
