//! READ.

use super::{Cache, CacheError, Reply};
use crate::{
    sealing,
    store::Freshness,
    types::{Deadline, FullKey, Value},
};

impl Cache {
    pub(super) async fn read(&self, key: &FullKey<'_>, deadline: Deadline) -> Result<Reply, CacheError> {
        let stored = self.store.get(key, Freshness::Usual, deadline).await?;
        self.found(key, stored)
    }

    /// What the bytes under a key are to the caller. A value that does not open is an error, never a miss.
    pub(super) fn found(&self, key: &FullKey<'_>, stored: Option<Vec<u8>>) -> Result<Reply, CacheError> {
        let Some(stored) = stored else { return Ok(Reply::NotFound) };
        let plain = sealing::open(self.keyring.as_ref(), key, stored).map_err(CacheError::DoesNotOpen)?;
        Ok(Reply::Found(Value::decode(plain)))
    }
}
