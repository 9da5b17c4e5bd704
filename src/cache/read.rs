//! READ.

use super::{Cache, CacheError, Read, Reply};
use crate::{
    sealing::{self, OpenError},
    store::Freshness,
    telemetry::metrics::Opening,
    types::{Deadline, FullKey, Value},
};

impl Read<'_> {
    /// How fresh it has to be, in a request that wants `at_least`.
    pub(super) fn freshness(&self, at_least: Freshness) -> Freshness {
        if self.from_master { Freshness::Master } else { at_least }
    }
}

impl Cache {
    pub(super) async fn read(
        &self,
        key: &FullKey<'_>,
        freshness: Freshness,
        deadline: Deadline,
    ) -> Result<Reply, CacheError> {
        let stored = self.store.get(key, freshness, deadline).await?;
        self.found(key, stored)
    }

    /// What the bytes under a key are to the caller. A value that does not open is an error, never a miss.
    pub(super) fn found(&self, key: &FullKey<'_>, stored: Option<Vec<u8>>) -> Result<Reply, CacheError> {
        let Some(stored) = stored else { return Ok(Reply::NotFound) };
        let is_sealed = sealing::is_sealed(&stored);
        let opened = sealing::open(self.keyring.as_ref(), key, stored);
        if is_sealed {
            self.metrics.opened.count(match &opened {
                Ok(_) => Opening::Opened,
                Err(OpenError::UnknownKey) => Opening::UnknownKey,
                Err(OpenError::NotAuthentic) => Opening::NotAuthentic,
            });
        }
        let plain = opened.map_err(CacheError::DoesNotOpen)?;
        Ok(Reply::Found(Value::decode(plain)))
    }
}
