//! The reply for a result that the near cache has.

use super::{
    cached_read::{CachedRead, FoundValue, OpenedValue},
    command::Reply,
    error::CacheError,
    value_cache::Cache,
};
use crate::types::{FullKey, Value};
use std::sync::Arc;

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
            FoundValue::Open(value) => {
                self.refuse_unsealed()?;
                Arc::clone(value)
            }
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
