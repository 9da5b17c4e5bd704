//! The near cache, and when what it keeps may be an answer.
//!
//! A value that was kept stands in for a read only where that read would now go to the node that the value came from,
//! over a connection on which the node would have told of a change (see [`Store::would_answer`]). So it is never older
//! than what that node would answer but for the time that its word takes to get here, and everything that decides
//! over nodes (freshness, roles, shards that move) decides over kept values, too.

use super::{Cache, CacheError, Reply};
use crate::{
    near_cache::{CachedValue, FetchResult, Fetched, NearCache, NearCacheCounters},
    settings::Settings,
    store::{Freshness, InvalidationHandler, Store, StoreError, TrackedSource, TrackedValue},
    telemetry::{
        metrics::{Label, Lookup, MetricsWriter, names},
        traces,
    },
    types::{Deadline, Envelope, FullKey, Value, envelope},
};
use std::{
    fmt,
    sync::{Arc, OnceLock, atomic::Ordering::Relaxed},
};
use tokio::time::Instant;
use tracing::{Instrument, Span};

/// The near cache of the process. A clone is a handle on the same one.
#[derive(Clone)]
pub struct NearValues {
    values: Arc<NearCache<CachedLookup, StoreError>>,
    keep_opened: bool,
}

/// What was found under a key.
pub struct CachedLookup {
    found: LookupResult,
    /// `None` where nobody would say that it changes.
    source: Option<TrackedSource>,
}

enum LookupResult {
    Nothing,
    Open(Arc<Value<'static>>),
    /// As it is in Redis, and, where that may be kept, opened.
    Sealed(Vec<u8>, OnceLock<OpenedValue>),
}

/// What a sealed value holds, and by whose keys.
struct OpenedValue {
    /// Of the [`Cache`] that opened it: after a reload other keys count.
    cache: u64,
    value: Arc<Value<'static>>,
}

impl NearValues {
    /// `None` where it is switched off.
    pub fn new(settings: &Settings) -> Option<Self> {
        let near = &settings.near_cache;
        near.enabled.then(|| Self {
            values: Arc::new(NearCache::new(near.bytes_max, near.age_max)),
            keep_opened: near.keep_opened,
        })
    }

    /// To be told of keys that change.
    pub fn invalidation_handler(&self) -> InvalidationHandler {
        let values = Arc::clone(&self.values);
        Arc::new(move |key: &[u8]| values.invalidate(key))
    }

    /// Forgets everything: the keys that opened it may not be there any more.
    pub fn clear(&self) {
        self.values.clear();
    }

    pub fn counters(&self) -> &NearCacheCounters {
        &self.values.counters
    }

    /// The room for what is kept.
    pub fn bytes_max(&self) -> usize {
        self.values.bytes_max()
    }

    /// Entries, and the bytes that they take together.
    pub fn size(&self) -> (usize, u64) {
        self.values.size()
    }

    /// Writes what was kept and found so far.
    pub fn write_metrics(&self, page: &mut MetricsWriter<'_>) -> fmt::Result {
        let counts = self.counters();
        let lookups = [(Lookup::Hit, &counts.hits), (Lookup::Miss, &counts.misses)];
        page.counter(&names::NEAR_LOOKUPS, lookups.map(|(label, count)| ([label.name()], count.load(Relaxed))))?;
        page.counter(&names::NEAR_INSERTED, [([], counts.inserted.load(Relaxed))])?;
        page.counter(&names::NEAR_INVALIDATED, [([], counts.invalidated.load(Relaxed))])?;
        let (entries, bytes) = self.size();
        page.gauge(&names::NEAR_ENTRIES, [([], entries)])?;
        page.gauge(&names::NEAR_BYTES, [([], bytes)])
    }

    /// What is kept, if it may answer such a read.
    fn find(&self, store: &Store, key: &FullKey<'_>, freshness: Freshness) -> Option<Arc<CachedValue<CachedLookup>>> {
        let kept = self.values.get(key.as_bytes(), Instant::now());
        let answers = |source: &TrackedSource| store.may_serve_cached(source, key, freshness);
        let kept = kept.filter(|kept| kept.value.source.as_ref().is_some_and(answers));
        let count = if kept.is_some() { &self.counters().hits } else { &self.counters().misses };
        count.fetch_add(1, Relaxed);
        kept
    }

    /// What a read finds now, for all who ask at once.
    async fn fetch(
        &self,
        store: &Store,
        key: &FullKey<'_>,
        freshness: Freshness,
        deadline: Deadline,
    ) -> FetchResult<CachedLookup, StoreError> {
        let may_double = self.keep_opened;
        let fetch = || {
            let (store, key) = (store.clone(), key.to_owned());
            let fetch = async move {
                store.get_tracked(&key, freshness, deadline).await.map(|tracked| fetched(tracked, may_double))
            };
            // Part of the trace that began it, whoever waits for it.
            fetch.instrument(traces::current())
        };
        // Whoever wants more than others gets an answer of their own.
        self.values.fetch(key.as_bytes(), freshness == Freshness::ReadYourWrites, fetch).await
    }
}

fn fetched(TrackedValue { bytes, origin }: TrackedValue, may_double: bool) -> Fetched<CachedLookup> {
    let length = bytes.as_ref().map_or(0, Vec::len);
    let found = match bytes {
        None => LookupResult::Nothing,
        Some(bytes) => match envelope(&bytes) {
            Envelope::Sealed { .. } => LookupResult::Sealed(bytes, OnceLock::new()),
            Envelope::Open => LookupResult::Open(Arc::new(Value::decode(bytes))),
        },
    };
    let doubled = may_double && matches!(found, LookupResult::Sealed(..));
    let (source, left) = origin.map(|origin| (origin.source, origin.left)).unzip();
    Fetched { value: CachedLookup { found, source }, bytes: if doubled { 2 * length } else { length }, keep: left }
}

impl Cache {
    /// What is kept under the key, if it may answer such a read.
    pub(super) fn cached(&self, key: &FullKey<'_>, freshness: Freshness) -> Option<Result<Reply, CacheError>> {
        let near = self.near.as_ref().filter(|_| freshness != Freshness::Master)?;
        near.find(&self.store, key, freshness).map(|kept| self.reply_of(near, key, &kept.value))
    }

    /// The span of so many lookups, where they are traced.
    pub(super) fn span_of_near(&self, lookups: usize) -> Span {
        if self.near.is_some() { traces::near_cache(lookups) } else { Span::none() }
    }

    /// True if what such a read finds is worth keeping.
    pub(super) fn is_worth_keeping(&self, key: &FullKey<'_>, freshness: Freshness) -> bool {
        let near = self.near.as_ref().filter(|_| freshness != Freshness::Master);
        near.is_some_and(|near| near.values.should_admit(key.as_bytes()))
    }

    /// What a read finds, to be kept; `None` if others who fetch it failed where this one need not.
    pub(super) async fn fetch(
        &self,
        key: &FullKey<'_>,
        freshness: Freshness,
        deadline: Deadline,
    ) -> Option<Result<Reply, CacheError>> {
        let near = self.near.as_ref()?;
        let FetchResult { joined, outcome } = near.fetch(&self.store, key, freshness, deadline).await;
        match outcome? {
            Ok(kept) => Some(self.reply_of(near, key, &kept.value)),
            // What failed for whoever began it need not fail here.
            Err(error) if joined && !matches!(error, StoreError::WrongType) => None,
            Err(error) => Some(Err(error.into())),
        }
    }

    fn reply_of(&self, near: &NearValues, key: &FullKey<'_>, stored: &CachedLookup) -> Result<Reply, CacheError> {
        let value = match &stored.found {
            LookupResult::Nothing => return Ok(Reply::NotFound),
            LookupResult::Open(value) => Arc::clone(value),
            LookupResult::Sealed(bytes, opened) => {
                if let Some(opened) = opened.get().filter(|opened| opened.cache == self.number) {
                    return Ok(Reply::Found(Arc::clone(&opened.value)));
                }
                let value = Arc::new(Value::decode(self.open(key, bytes.clone())?));
                if near.keep_opened {
                    // Somebody else may have been as quick with the same.
                    let _kept = opened.set(OpenedValue { cache: self.number, value: Arc::clone(&value) });
                }
                value
            }
        };
        Ok(Reply::Found(value))
    }

    /// To be held while keys are changed: what is kept of them is forgotten before, so that nobody joins a read of
    /// what was, and afterwards, however that ended, because it may have been read meanwhile.
    pub(super) fn invalidation_guard<'k>(&'k self, keys: &'k [&'k FullKey<'k>]) -> InvalidationGuard<'k> {
        let changing = InvalidationGuard { near: self.near.as_ref(), keys };
        changing.invalidate();
        changing
    }
}

pub(super) struct InvalidationGuard<'k> {
    near: Option<&'k NearValues>,
    keys: &'k [&'k FullKey<'k>],
}

impl InvalidationGuard<'_> {
    fn invalidate(&self) {
        if let Some(near) = self.near {
            self.keys.iter().for_each(|key| near.values.invalidate(key.as_bytes()));
        }
    }
}

impl Drop for InvalidationGuard<'_> {
    fn drop(&mut self) {
        self.invalidate();
    }
}
