//! The result of a read in the form in which the near cache has it.

use crate::{
    near_cache::Fetched,
    store::{TrackedSource, TrackedValue, ValueDigest},
    types::{Envelope, Value, envelope},
};
use std::sync::{Arc, OnceLock};

/// The result of a read in the store.
pub struct CachedRead {
    /// The value that was found.
    pub(super) found: FoundValue,
    /// The digest of the value as Redis has it.
    pub digest: ValueDigest,
    /// The connection that reports changes of the key; `None` if no node reports changes.
    pub source: Option<TrackedSource>,
}

/// The value that a read found.
pub enum FoundValue {
    /// The key does not exist.
    Nothing,
    /// A value that is not sealed.
    Open(Value<'static>),
    /// A sealed value as Redis has it, and its opened form, where the settings allow caching it.
    Sealed(Vec<u8>, OnceLock<OpenedValue>),
}

/// The opened form of a sealed value.
pub struct OpenedValue {
    /// The number of the cache that opened the value: a reload can change the encryption keys.
    pub cache: u64,
    /// The value.
    pub value: Arc<Value<'static>>,
}

impl CachedRead {
    /// Decodes an answer of the store for the near cache. With `keep_opened`, a sealed value counts twice, because its
    /// opened form may be cached, too.
    pub fn fetched(TrackedValue { bytes, origin }: TrackedValue, keep_opened: bool) -> Fetched<Self> {
        let (length, digest) = (bytes.as_ref().map_or(0, Vec::len), ValueDigest::of(bytes.as_deref()));
        let found = match bytes {
            None => FoundValue::Nothing,
            Some(bytes) => match envelope(&bytes) {
                Envelope::Sealed { .. } => FoundValue::Sealed(bytes, OnceLock::new()),
                Envelope::Open => FoundValue::Open(Value::decode(bytes)),
            },
        };
        let is_doubled = keep_opened && matches!(found, FoundValue::Sealed(..));
        let (source, ttl) = origin.map(|origin| (origin.source, origin.left)).unzip();
        Fetched { value: Self { found, digest, source }, bytes: if is_doubled { 2 * length } else { length }, ttl }
    }
}
