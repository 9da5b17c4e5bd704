//! WRITE: the bytes that are stored.

use super::{command::Write, error::CacheError, value_cache::Cache};
use crate::{
    settings::SealingRule,
    store::{Lifetime, OperationKind},
    types::FullKey,
};
use std::borrow::Cow;

impl Cache {
    /// Returns the store's operation for a WRITE.
    pub(super) fn set<'w>(&self, write: &'w Write<'_>, key: &FullKey<'_>) -> Result<OperationKind<'w>, CacheError> {
        let lifetime = write.lifetime.unwrap_or(Lifetime::New(self.default_ttl));
        let bytes = self.stored_form(write, key)?;
        Ok(OperationKind::Set { bytes, lifetime, if_absent: write.if_absent, replicas: write.replicas })
    }

    /// Returns the bytes to store: those of the value, or its sealed form.
    fn stored_form<'w>(&self, write: &'w Write<'_>, key: &FullKey<'_>) -> Result<Cow<'w, [u8]>, CacheError> {
        let (bytes, bytes_max) = (write.value.stored_bytes(), self.value_bytes_max);
        if bytes > bytes_max {
            return Err(CacheError::ValueTooLarge { bytes, bytes_max });
        }
        let plain = write.value.encode();
        if !write.seal && self.rule == SealingRule::OnRequest {
            return Ok(plain);
        }
        let keyring = self.keyring.as_ref().ok_or_else(|| self.no_key())?;
        self.metrics.sealed.count();
        Ok(Cow::Owned(keyring.seal(key, &plain)))
    }

    /// Returns the error of a WRITE that is to be sealed without a key.
    fn no_key(&self) -> CacheError {
        match &self.missing_key_file {
            Some(file) => {
                file.log_once();
                CacheError::SealingKeyMissing
            }
            None => CacheError::NoSealingKey,
        }
    }
}
