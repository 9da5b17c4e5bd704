//! READ.

use super::{Cache, CacheError, Read, Reply};
use crate::{
    sealing::{self, OpenError},
    store::Freshness,
    telemetry::{metrics::OpenOutcome, traces},
    types::{Deadline, FullKey, Value},
};
use std::sync::Arc;
use tracing::Instrument;

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
        let span = self.span_of_near(1);
        if let Some(kept) = self.cached(key, freshness) {
            traces::end(&span, "hit", false);
            return kept;
        }
        // Boxed, so that what is not kept does not carry its size.
        if self.is_worth_keeping(key, freshness)
            && let Some(fetched) = Box::pin(self.fetch(key, freshness, deadline)).instrument(span.clone()).await
        {
            traces::end(&span, "fetched", fetched.is_err());
            return fetched;
        }
        traces::end(&span, "miss", false);
        drop(span);
        let stored = self.store.get(key, freshness, deadline).await?;
        self.found(key, stored)
    }

    /// What the bytes under a key are to the caller. A value that does not open is an error, never a miss.
    pub(super) fn found(&self, key: &FullKey<'_>, stored: Option<Vec<u8>>) -> Result<Reply, CacheError> {
        let Some(stored) = stored else { return Ok(Reply::NotFound) };
        Ok(Reply::Found(Arc::new(Value::decode(self.open(key, stored)?))))
    }

    /// Opens what is under a key, if it is sealed, and counts that.
    pub(super) fn open(&self, key: &FullKey<'_>, stored: Vec<u8>) -> Result<Vec<u8>, CacheError> {
        let is_sealed = sealing::is_sealed(&stored);
        let opened = sealing::open(self.keyring.as_ref(), key, stored);
        if is_sealed {
            self.metrics.opened.count(match &opened {
                Ok(_) => OpenOutcome::Opened,
                Err(OpenError::UnknownKey) => OpenOutcome::UnknownKey,
                Err(OpenError::NotAuthentic) => OpenOutcome::NotAuthentic,
            });
        }
        opened.map_err(CacheError::DoesNotOpen)
    }
}
