//! WRITE.

use super::{Cache, CacheError, Reply, Write};
use crate::types::{Deadline, FullKey, Ttl};
use std::borrow::Cow;

impl Cache {
    pub(super) async fn write(
        &self,
        write: &Write<'_>,
        key: &FullKey<'_>,
        deadline: Deadline,
    ) -> Result<Reply, CacheError> {
        let bytes = self.stored_form(write, key)?;
        self.store.set(key, &bytes, self.ttl(write), deadline).await?;
        Ok(Reply::Written)
    }

    /// The bytes that Redis is to hold: the value's own, or sealed.
    pub(super) fn stored_form<'w>(&self, write: &'w Write<'_>, key: &FullKey<'_>) -> Result<Cow<'w, [u8]>, CacheError> {
        let (bytes, bytes_max) = (write.value.stored_bytes(), self.value_bytes_max);
        if bytes > bytes_max {
            return Err(CacheError::ValueTooLarge { bytes, bytes_max });
        }
        let plain = write.value.encode();
        if !write.seal && !self.seal_always {
            return Ok(plain);
        }
        let keyring = self.keyring.as_ref().ok_or(CacheError::NoSealingKey)?;
        Ok(Cow::Owned(keyring.seal(key, &plain)))
    }

    pub(super) fn ttl(&self, write: &Write<'_>) -> Ttl {
        write.ttl.unwrap_or(self.default_ttl)
    }
}
