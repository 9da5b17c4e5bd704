//! Recently read values in this process, bounded in bytes and in age.
//!
//! A value is cached from the second read of its key on, until it is invalidated, too old, or evicted by others. Callers
//! that miss the same key at the same time share one fetch (`single_flight`). The owner of the cache invalidates the
//! keys that change, with [`NearCache::invalidate`]; a value that is being fetched at that time is returned to its
//! waiters and not cached.

mod admission;
mod cached_value;
mod single_flight;
mod worker_handles;

pub use cached_value::{CachedHandle, CachedValue};
pub use single_flight::FetchOutcome;

use crate::telemetry::metrics::Counter;
use admission::AdmissionFilter;
use quick_cache::{DefaultHashBuilder, OptionsBuilder, Weighter, sync::Cache, sync::DefaultLifecycle};
use single_flight::SingleFlight;
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;
use worker_handles::WorkerHandles;
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Bytes of an entry besides its key and value.
const ENTRY_BYTES: usize = 200;
/// No value may take more than this share of the cache, so that there are many.
const ENTRY_SHARE: usize = 32;
/// An estimate of the size of values, from which the library derives the number of entries.
const VALUE_BYTES_EXPECTED: usize = 1024;

/// Values of type `V` by key, fetched with errors of type `E`.
pub struct NearCache<V, E> {
    values: Cache<Box<[u8]>, Arc<CachedValue<V>>, EntryWeight, DefaultHashBuilder>,
    /// The values that each worker reads most.
    worker_handles: WorkerHandles<V>,
    single_flight: SingleFlight<V, E>,
    admission: AdmissionFilter,
    /// Nobody outside can find keys of equal hashes without it.
    hash_seed: u64,
    age_max: Duration,
    bytes_max: usize,
    /// The events so far.
    pub counters: NearCacheCounters,
}

/// A value that was fetched.
pub struct Fetched<V> {
    /// The value.
    pub value: V,
    /// The size of the value.
    pub bytes: usize,
    /// The time for which the value may be cached, from the start of the fetch; `None` if it must not be cached.
    pub ttl: Option<Duration>,
}

/// The result of a lookup.
pub enum NearLookup<V> {
    /// The cache has a value that may answer the read.
    Hit(CachedHandle<V>),
    /// The cache has no such value.
    Miss {
        /// True if the value is to be fetched for the cache: the key was read before.
        admit: bool,
    },
}

/// The result of a fetch.
pub struct FetchResult<V, E> {
    /// True if another caller had started the fetch.
    pub joined: bool,
    /// The outcome; `None` if the fetch ended without one.
    pub outcome: Option<FetchOutcome<V, E>>,
}

/// The numbers of events so far.
#[derive(Default)]
pub struct NearCacheCounters {
    /// Lookups that found a value.
    pub hits: Counter,
    /// Lookups that found none.
    pub misses: Counter,
    /// Values that were cached.
    pub inserted: Counter,
    /// Keys that were invalidated while their value was cached or being fetched.
    pub invalidated: Counter,
}

#[derive(Clone)]
struct EntryWeight;

impl<V> Weighter<Box<[u8]>, Arc<CachedValue<V>>> for EntryWeight {
    fn weight(&self, key: &Box<[u8]>, value: &Arc<CachedValue<V>>) -> u64 {
        u64::try_from(key.len() + value.bytes + ENTRY_BYTES).unwrap_or(u64::MAX)
    }
}

impl<V: Send + Sync + 'static, E: Clone + Send + Sync + 'static> NearCache<V, E> {
    /// Creates an empty cache with a limit on its bytes, and on the age of its values. `hash_seed` is a random number.
    pub fn new(bytes_max: usize, age_max: Duration, hash_seed: u64) -> Self {
        let options = OptionsBuilder::new()
            .weight_capacity(u64::try_from(bytes_max).unwrap_or(u64::MAX))
            .estimated_items_capacity(bytes_max / VALUE_BYTES_EXPECTED)
            // Each of the library's shards has its part of the bytes, and the largest value has to fit into one.
            .shards(ENTRY_SHARE / 2)
            .build()
            .expect("both capacities are set");
        let hasher = DefaultHashBuilder::default();
        Self {
            values: Cache::with_options(options, EntryWeight, hasher, DefaultLifecycle::default()),
            worker_handles: WorkerHandles::default(),
            single_flight: SingleFlight::default(),
            admission: AdmissionFilter::default(),
            hash_seed,
            age_max,
            bytes_max,
            counters: NearCacheCounters::default(),
        }
    }

    /// Looks a key up. A value that is too old, or that is not `current`, is a miss. A miss is admitted if `may_admit`
    /// allows it and the key was read before.
    pub fn lookup(
        &self,
        key: &[u8],
        now: Instant,
        is_current: impl Fn(&V) -> bool,
        may_admit: impl FnOnce() -> bool,
    ) -> NearLookup<V> {
        let hash = self.hash(key);
        let is_valid = |cached: &CachedValue<V>| now < cached.expires_at && is_current(&cached.value);
        if let Some(cached) = self.cached(key, hash, is_valid) {
            self.counters.hits.count();
            return NearLookup::Hit(cached);
        }
        self.counters.misses.count();
        NearLookup::Miss { admit: may_admit() && self.admission.admits(hash) }
    }

    fn cached(&self, key: &[u8], hash: u64, is_valid: impl Fn(&CachedValue<V>) -> bool) -> Option<CachedHandle<V>> {
        // Before any look at the values: what is found now may be invalidated before it has a handle.
        let version = self.worker_handles.version(hash);
        if let Some(own) = self.worker_handles.get(hash, version, key).filter(|own| is_valid(own)) {
            return Some(own);
        }
        let cached = self.values.get(key).filter(|cached| is_valid(cached))?;
        self.worker_handles.offer(hash, version, key, &cached);
        Some(CachedHandle::Shared(cached))
    }

    /// Returns true if a lookup of the key would find exactly this value.
    pub fn has(&self, key: &[u8], value: &Arc<CachedValue<V>>, now: Instant) -> bool {
        now < value.expires_at && self.values.peek(key).is_some_and(|cached| Arc::ptr_eq(&cached, value))
    }

    /// Runs `fetch`, or joins a fetch of the key that runs already if that may be `shared`. A fetch runs until its last
    /// waiter is gone, which need not be the caller who started it.
    pub async fn fetch<F>(self: &Arc<Self>, key: &[u8], shared: bool, fetch: impl FnOnce() -> F) -> FetchResult<V, E>
    where
        F: Future<Output = Result<Fetched<V>, E>> + Send + 'static,
    {
        let hash = self.hash(key);
        if shared && let Some(in_flight) = self.single_flight.join(hash, key) {
            return FetchResult { joined: true, outcome: in_flight.outcome().await };
        }
        let id = self.single_flight.next_id();
        let entry = PendingEntry { near: Arc::clone(self), hash, key: key.into(), id };
        let fetch = self.single_flight.start(hash, key, id, entry.fill(fetch()));
        FetchResult { joined: false, outcome: fetch.outcome().await }
    }

    /// Removes the value of a key. A value that is being fetched now is not cached.
    pub fn invalidate(&self, key: &[u8]) {
        let hash = self.hash(key);
        // In this order: a fetch that ends in between is not cached any more, and a value that was just removed gets no
        // handle that is used.
        let was_in_flight = self.single_flight.invalidate(hash, key);
        let was_cached = self.values.remove(key).is_some();
        self.worker_handles.invalidate(hash);
        if was_cached || was_in_flight {
            self.counters.invalidated.count();
        }
    }

    /// Removes all values.
    pub fn clear(&self) {
        self.single_flight.invalidate_all();
        self.values.clear();
        self.worker_handles.clear();
    }

    /// Returns the limit on the bytes of all entries.
    pub fn bytes_max(&self) -> usize {
        self.bytes_max
    }

    /// Returns the number of entries, and the bytes of all of them.
    pub fn size(&self) -> (usize, u64) {
        (self.values.len(), self.values.weight())
    }

    fn hash(&self, key: &[u8]) -> u64 {
        xxh3_64_with_seed(key, self.hash_seed)
    }
}

/// An entry whose value is being fetched.
struct PendingEntry<V: Send + Sync + 'static, E: Clone + Send + Sync + 'static> {
    near: Arc<NearCache<V, E>>,
    hash: u64,
    key: Box<[u8]>,
    /// The id of the fetch.
    id: u64,
}

impl<V: Send + Sync + 'static, E: Clone + Send + Sync + 'static> PendingEntry<V, E> {
    async fn fill(self, fetch: impl Future<Output = Result<Fetched<V>, E>>) -> FetchOutcome<V, E> {
        let start = Instant::now();
        let Fetched { value, bytes, ttl } = fetch.await?;
        let Self { near, hash, key, id } = &self;
        let ttl = ttl.map(|ttl| ttl.min(near.age_max));
        let cached = Arc::new(CachedValue { value, bytes, expires_at: start + ttl.unwrap_or_default() });
        if ttl.is_some() && (key.len() + bytes + ENTRY_BYTES) * ENTRY_SHARE <= near.bytes_max {
            near.single_flight.unless_invalidated(*hash, key, *id, || {
                near.counters.inserted.count();
                near.values.insert(key.clone(), Arc::clone(&cached));
            });
        }
        Ok(cached)
    }
}

impl<V: Send + Sync + 'static, E: Clone + Send + Sync + 'static> Drop for PendingEntry<V, E> {
    fn drop(&mut self) {
        self.near.single_flight.finish(self.hash, &self.key, self.id);
    }
}

#[cfg(test)]
mod tests;
