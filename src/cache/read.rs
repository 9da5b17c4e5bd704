//! READ: from the near cache, else from the store.

use super::{
    command::{Read, Reply},
    error::CacheError,
    value_cache::Cache,
};
use crate::{
    near_cache::{CachedHandle, FetchResult, NearLookup},
    sealing::{self, OpenError},
    settings::SealingRule,
    store::{Freshness, StoreError},
    telemetry::{metrics::OpenOutcome, traces},
    types::{Deadline, FullKey, Value},
};
use std::sync::Arc;
use tracing::{Instrument, Span};

impl Read<'_> {
    /// Returns the freshness of the read in a request that asks for `at_least`.
    pub(super) fn freshness(&self, at_least: Freshness) -> Freshness {
        if self.from_master { Freshness::Master } else { at_least }
    }
}

/// The answer of the near cache to a read.
pub(super) enum CachedReply {
    /// The near cache has the reply.
    Hit(Result<Reply, CacheError>),
    /// The store has to be asked.
    Miss {
        /// True if the answer is to be fetched for the near cache.
        admit: bool,
    },
}

impl Cache {
    /// Runs a READ.
    pub(super) async fn read(
        &self,
        key: &FullKey<'_>,
        freshness: Freshness,
        deadline: Deadline,
    ) -> Result<Reply, CacheError> {
        let span = self.lookup_span(1);
        match self.lookup(key, freshness, || true) {
            CachedReply::Hit(reply) => {
                traces::end(&span, "hit", false);
                return reply;
            }
            CachedReply::Miss { admit: true } => {
                // Boxed, so that a read that is not cached does not carry the size of the fetch.
                let fetch = Box::pin(self.fetch(key, freshness, deadline)).instrument(span.clone());
                if let Some(reply) = fetch.await {
                    traces::end(&span, "fetched", reply.is_err());
                    return reply;
                }
            }
            CachedReply::Miss { admit: false } => {}
        }
        traces::end(&span, "miss", false);
        drop(span);
        let stored = self.store.get(key, freshness, deadline).await?;
        self.found(key, stored)
    }

    /// Asks the near cache for the reply to a read. A miss is admitted if `may_admit` allows it and the key was read
    /// before.
    pub(super) fn lookup(
        &self,
        key: &FullKey<'_>,
        freshness: Freshness,
        may_admit: impl FnOnce() -> bool,
    ) -> CachedReply {
        let Some(near) = self.near.as_ref().filter(|_| freshness != Freshness::Master) else {
            return CachedReply::Miss { admit: false };
        };
        match near.lookup(&self.store, key, freshness, may_admit) {
            NearLookup::Hit(cached) => CachedReply::Hit(self.cached_reply(key, cached, near.keep_opened)),
            NearLookup::Miss { admit } => CachedReply::Miss { admit },
        }
    }

    /// Returns the span of this number of lookups; an empty one without a near cache.
    pub(super) fn lookup_span(&self, lookups: usize) -> Span {
        if self.near.is_some() { traces::near_cache(lookups) } else { Span::none() }
    }

    /// Reads from the store and fills the near cache. Returns `None` if the fetch of another request failed for a reason
    /// that does not concern this one.
    pub(super) async fn fetch(
        &self,
        key: &FullKey<'_>,
        freshness: Freshness,
        deadline: Deadline,
    ) -> Option<Result<Reply, CacheError>> {
        let near = self.near.as_ref()?;
        let FetchResult { joined, outcome } = near.fetch(&self.store, key, freshness, deadline).await;
        match outcome? {
            Ok(cached) => Some(self.cached_reply(key, CachedHandle::Shared(cached), near.keep_opened)),
            // The request that started the fetch may have had an earlier deadline.
            Err(error) if joined && !matches!(error, StoreError::WrongType) => None,
            Err(error) => Some(Err(error.into())),
        }
    }

    /// Returns the reply for the bytes under a key. A value that cannot be opened is an error, never a miss.
    pub(super) fn found(&self, key: &FullKey<'_>, stored: Option<Vec<u8>>) -> Result<Reply, CacheError> {
        let Some(stored) = stored else { return Ok(Reply::NotFound) };
        Ok(Reply::Found(Arc::new(Value::decode(self.open(key, stored)?)).into()))
    }

    /// Opens a value, if it is sealed, and counts that.
    pub(super) fn open(&self, key: &FullKey<'_>, stored: Vec<u8>) -> Result<Vec<u8>, CacheError> {
        let is_sealed = sealing::is_sealed(&stored);
        if !is_sealed {
            self.refuse_unsealed()?;
        }
        let opened = sealing::open(self.keyring.as_ref(), key, stored);
        if is_sealed {
            self.metrics.opened.count(match &opened {
                Ok(_) => OpenOutcome::Opened,
                Err(OpenError::UnknownKey) => OpenOutcome::UnknownKey,
                Err(OpenError::NotAuthentic) => OpenOutcome::NotAuthentic,
            });
        }
        if let (Err(OpenError::UnknownKey), Some(file)) = (&opened, &self.missing_key_file) {
            file.log_once();
        }
        opened.map_err(CacheError::DecryptionFailed)
    }

    /// Refuses a value that is not sealed where the settings allow only sealed values: somebody else wrote it.
    pub(super) fn refuse_unsealed(&self) -> Result<(), CacheError> {
        if self.rule != SealingRule::Required {
            return Ok(());
        }
        self.metrics.opened.count(OpenOutcome::NotSealed);
        Err(CacheError::NotSealed)
    }
}
