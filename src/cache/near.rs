//! The near cache of the store's values, and the condition on which a cached value answers a read.
//!
//! A cached value answers a read only if the read would now be sent to the node that the value came from, over a
//! connection on which the node would have reported a change (see [`Store::may_serve_cached`]). So it is never older than
//! the answer of that node, but for the time that a report takes, and everything that decides over nodes (freshness,
//! roles, moves of shards) decides over cached values, too.

use super::cached_read::CachedRead;
use crate::{
    near_cache::{CachedHandle, FetchResult, NearCache, NearCacheCounters, NearLookup},
    settings::NearCacheConfig,
    store::{Freshness, InvalidationHandler, KeptAnswer, Store, StoreError, WatchedRead},
    telemetry::{
        metrics::{Label, Lookup, MetricsWriter, names},
        traces,
    },
    types::{Deadline, FullKey},
};
use std::{
    fmt,
    hash::{BuildHasher, RandomState},
    sync::Arc,
};
use tokio::time::Instant;
use tracing::Instrument;

/// The near cache of the process. A clone is a handle on the same one.
#[derive(Clone)]
pub struct NearValues {
    values: Arc<NearCache<CachedRead, StoreError>>,
    /// Sealed values are cached in opened form.
    pub(super) keep_opened: bool,
}

impl NearValues {
    /// Creates the near cache; `None` if the settings switch it off.
    pub fn new(config: &NearCacheConfig) -> Option<Self> {
        Self::with_hash_seed(config, RandomState::new().hash_one(()))
    }

    /// Creates the near cache as [`NearValues::new`] does. The seed of its hashes is given, so that a simulation replays
    /// exactly.
    pub fn with_hash_seed(config: &NearCacheConfig, hash_seed: u64) -> Option<Self> {
        config.enabled.then(|| Self {
            values: Arc::new(NearCache::new(config.bytes_max, config.age_max, hash_seed)),
            keep_opened: config.keep_opened,
        })
    }

    /// Returns the handler that the store calls with each key that changes.
    pub fn invalidation_handler(&self) -> InvalidationHandler {
        let values = Arc::clone(&self.values);
        Arc::new(move |key: &[u8]| values.invalidate(key))
    }

    /// Removes all values: the keys that opened them may not be configured any more.
    pub fn clear(&self) {
        self.values.clear();
    }

    /// Returns the numbers of events so far.
    pub fn counters(&self) -> &NearCacheCounters {
        &self.values.counters
    }

    /// Returns the limit on the bytes of all entries.
    pub fn bytes_max(&self) -> usize {
        self.values.bytes_max()
    }

    /// Returns the number of entries, and the bytes of all of them.
    pub fn size(&self) -> (usize, u64) {
        self.values.size()
    }

    /// Writes the metrics of the near cache.
    pub fn write_metrics(&self, page: &mut MetricsWriter<'_>) -> fmt::Result {
        let counts = self.counters();
        let lookups = [(Lookup::Hit, &counts.hits), (Lookup::Miss, &counts.misses)];
        page.counter(&names::NEAR_LOOKUPS, lookups.map(|(label, count)| ([label.name()], count.get())))?;
        page.counter(&names::NEAR_INSERTED, [([], counts.inserted.get())])?;
        page.counter(&names::NEAR_INVALIDATED, [([], counts.invalidated.get())])?;
        let (entries, bytes) = self.size();
        page.gauge(&names::NEAR_ENTRIES, [([], entries)])?;
        page.gauge(&names::NEAR_BYTES, [([], bytes)])
    }

    /// Looks up the value that may answer such a read. A miss is admitted if `may_admit` allows it and the key was read
    /// before.
    pub(super) fn lookup(
        &self,
        store: &Store,
        key: &FullKey<'_>,
        freshness: Freshness,
        may_admit: impl FnOnce() -> bool,
    ) -> NearLookup<CachedRead> {
        let watched = store.watched_read(key, freshness);
        let found = self.values.lookup(
            key.as_bytes(),
            Instant::now(),
            |read| read.source.as_ref().is_some_and(|source| store.may_serve_cached(source, key, freshness)),
            may_admit,
        );
        if let NearLookup::Hit(cached) = &found {
            self.observe_hit(store, key, cached, watched);
        }
        found
    }

    /// Observes an answer of the near cache for the inspection.
    fn observe_hit(
        &self,
        store: &Store,
        key: &FullKey<'_>,
        cached: &CachedHandle<CachedRead>,
        watched: Option<WatchedRead>,
    ) {
        let CachedRead { digest, source: Some(source), .. } = &cached.value else { return };
        store.observe_kept(key, KeptAnswer { digest: *digest, source, watched }, || {
            let (values, key, cached) = (Arc::clone(&self.values), key.to_owned(), Arc::clone(cached.shared()));
            let source = source.clone();
            Box::new(move || source.is_current() && values.has(key.as_bytes(), &cached, Instant::now()))
        });
    }

    /// Reads from the store for the cache, once for all who ask at the same time.
    pub(super) async fn fetch(
        &self,
        store: &Store,
        key: &FullKey<'_>,
        freshness: Freshness,
        deadline: Deadline,
    ) -> FetchResult<CachedRead, StoreError> {
        let keep_opened = self.keep_opened;
        // A read that has to be fresher than others is not shared with them.
        let shared = freshness == Freshness::ReadYourWrites;
        let fetch = self.values.fetch(key.as_bytes(), shared, || {
            let (store, key) = (store.clone(), key.to_owned());
            let read = async move {
                let tracked = store.get_tracked(&key, freshness, deadline).await?;
                Ok(CachedRead::fetched(tracked, keep_opened))
            };
            // The fetch belongs to the trace of the request that started it, though others may wait for it.
            read.instrument(traces::current())
        });
        fetch.await
    }

    /// Removes the value of a key. A value that is being fetched now is not cached.
    pub(super) fn invalidate(&self, key: &FullKey<'_>) {
        self.values.invalidate(key.as_bytes());
    }
}
