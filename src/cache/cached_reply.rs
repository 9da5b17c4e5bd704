//! The reply for a result that the near cache has.

use super::{
    cached_read::{CachedRead, FoundValue, OpenedValue},
    command::Reply,
    error::CacheError,
    read_value::ReadValue,
    value_cache::Cache,
};
use crate::{
    near_cache::CachedHandle,
    types::{FullKey, Value},
};
use std::sync::Arc;

impl Cache {
    /// Returns the reply for a result that the near cache has.
    pub(super) fn cached_reply(
        &self,
        key: &FullKey<'_>,
        cached: CachedHandle<CachedRead>,
        keep_opened: bool,
    ) -> Result<Reply, CacheError> {
        let (bytes, opened) = match &cached.value.found {
            FoundValue::Sealed(bytes, opened) => (bytes, opened),
            FoundValue::Nothing => return Ok(Reply::NotFound),
            FoundValue::Open(_) => {
                self.refuse_unsealed()?;
                return Ok(Reply::Found(ReadValue::near(cached)));
            }
        };
        if let Some(opened) = opened.get().filter(|opened| opened.cache == self.number) {
            return Ok(Reply::Found(Arc::clone(&opened.value).into()));
        }
        let value = Arc::new(Value::decode(self.open(key, bytes.clone())?));
        if keep_opened {
            // Another request may have set the same value meanwhile.
            let _set = opened.set(OpenedValue { cache: self.number, value: Arc::clone(&value) });
        }
        Ok(Reply::Found(value.into()))
    }
}
