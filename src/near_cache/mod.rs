//! Recent values in this process, bounded in bytes and in age.
//!
//! A value is kept from the second time on that its key is read, until it is forgotten, too old, or pushed out by
//! others. Those who miss the same key at once share one fetch (`fetches`). What makes a value out of date is for others
//! to say, by [`NearCache::forget`]; what is being fetched then is handed to those who wait for it, and not kept.

mod fetches;
mod seen;

pub use fetches::FetchOutcome;

use fetches::SingleFlight;
use quick_cache::{DefaultHashBuilder, OptionsBuilder, Weighter, sync::Cache, sync::DefaultLifecycle};
use seen::AdmissionFilter;
use std::{
    hash::BuildHasher,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::time::Instant;

/// What an entry takes besides key and value, in bytes.
const ENTRY_BYTES: usize = 200;
/// No value may take more than this share of the room: what is kept must be many.
const ENTRY_SHARE: usize = 32;
/// How many entries are expected; an estimation that the library wants.
const VALUE_BYTES_EXPECTED: usize = 1024;

/// Values of type `V` by key.
pub struct NearCache<V, E> {
    values: Cache<Box<[u8]>, Arc<CachedValue<V>>, EntryWeight, DefaultHashBuilder>,
    single_flight: SingleFlight<V, E>,
    admission: AdmissionFilter,
    hasher: DefaultHashBuilder,
    age_max: Duration,
    bytes_max: usize,
    pub counters: NearCacheCounters,
}

/// A value, and what it takes to keep it.
pub struct CachedValue<V> {
    pub value: V,
    bytes: usize,
    /// From then on it does not count.
    until: Instant,
}

/// What was fetched.
pub struct Fetched<V> {
    pub value: V,
    /// Its length.
    pub bytes: usize,
    /// How long it may be kept, from the start of the fetch; `None` for not at all.
    pub keep: Option<Duration>,
}

/// What a fetch came to.
pub struct FetchResult<V, E> {
    /// Somebody else had begun it.
    pub joined: bool,
    /// `None` if it was ended before.
    pub outcome: Option<FetchOutcome<V, E>>,
}

/// What happened so far.
#[derive(Default)]
pub struct NearCacheCounters {
    pub hits: AtomicU64,
    /// Reads that were not answered from here.
    pub misses: AtomicU64,
    /// Values that came to be kept.
    pub inserted: AtomicU64,
    /// Keys that changed while something was kept of them, or being fetched.
    pub invalidated: AtomicU64,
}

#[derive(Clone)]
struct EntryWeight;

impl<V> Weighter<Box<[u8]>, Arc<CachedValue<V>>> for EntryWeight {
    fn weight(&self, key: &Box<[u8]>, kept: &Arc<CachedValue<V>>) -> u64 {
        u64::try_from(key.len() + kept.bytes + ENTRY_BYTES).unwrap_or(u64::MAX)
    }
}

impl<V: Send + Sync + 'static, E: Clone + Send + Sync + 'static> NearCache<V, E> {
    pub fn new(bytes_max: usize, age_max: Duration) -> Self {
        let options = OptionsBuilder::new()
            .weight_capacity(u64::try_from(bytes_max).unwrap_or(u64::MAX))
            .estimated_items_capacity(bytes_max / VALUE_BYTES_EXPECTED)
            // Each has its part of the room, and the largest value has to fit into it.
            .shards(ENTRY_SHARE / 2)
            .build()
            .expect("both capacities are set");
        let hasher = DefaultHashBuilder::default();
        let kept = Cache::with_options(options, EntryWeight, hasher.clone(), DefaultLifecycle::default());
        let (fetches, seen, counts) =
            (SingleFlight::default(), AdmissionFilter::default(), NearCacheCounters::default());
        Self { values: kept, single_flight: fetches, admission: seen, hasher, age_max, bytes_max, counters: counts }
    }

    /// What is kept under `key` and not too old.
    pub fn get(&self, key: &[u8], now: Instant) -> Option<Arc<CachedValue<V>>> {
        self.values.get(key).filter(|kept| now < kept.until)
    }

    /// True if it is worth keeping what is under `key`: this is not the first time that somebody asks.
    pub fn should_admit(&self, key: &[u8]) -> bool {
        self.admission.admits(self.hash(key))
    }

    /// What `fetch` brings, or what is being fetched already if that may be `shared`. A fetch goes on for as long as
    /// anybody waits for it, whoever began it.
    pub async fn fetch<F>(self: &Arc<Self>, key: &[u8], shared: bool, fetch: impl FnOnce() -> F) -> FetchResult<V, E>
    where
        F: Future<Output = Result<Fetched<V>, E>> + Send + 'static,
    {
        let hash = self.hash(key);
        if shared && let Some(under_way) = self.single_flight.join(hash, key) {
            return FetchResult { joined: true, outcome: under_way.outcome().await };
        }
        let id = self.single_flight.next_id();
        let entry = PendingEntry { near: Arc::clone(self), hash, key: key.into(), fetch: id };
        let fetch = self.single_flight.start(hash, key, id, entry.fill(fetch()));
        FetchResult { joined: false, outcome: fetch.outcome().await }
    }

    /// Drops what is kept under `key`, and keeps nothing of what is being fetched.
    pub fn invalidate(&self, key: &[u8]) {
        // In this order: a fetch that ends in between keeps nothing any more.
        let fetched = self.single_flight.invalidate(self.hash(key), key);
        if self.values.remove(key).is_some() || fetched {
            self.counters.invalidated.fetch_add(1, Relaxed);
        }
    }

    /// Drops everything.
    pub fn clear(&self) {
        self.single_flight.invalidate_all();
        self.values.clear();
    }

    pub fn bytes_max(&self) -> usize {
        self.bytes_max
    }

    /// Entries, and the bytes that they take together.
    pub fn size(&self) -> (usize, u64) {
        (self.values.len(), self.values.weight())
    }

    fn hash(&self, key: &[u8]) -> u64 {
        self.hasher.hash_one(key)
    }
}

/// An entry that is being fetched.
struct PendingEntry<V: Send + Sync + 'static, E: Clone + Send + Sync + 'static> {
    near: Arc<NearCache<V, E>>,
    hash: u64,
    key: Box<[u8]>,
    fetch: u64,
}

impl<V: Send + Sync + 'static, E: Clone + Send + Sync + 'static> PendingEntry<V, E> {
    async fn fill(self, fetch: impl Future<Output = Result<Fetched<V>, E>>) -> FetchOutcome<V, E> {
        let start = Instant::now();
        let Fetched { value, bytes, keep } = fetch.await?;
        let Self { near, hash, key, fetch } = &self;
        let left = keep.map(|left| left.min(near.age_max));
        let kept = Arc::new(CachedValue { value, bytes, until: start + left.unwrap_or_default() });
        if left.is_some() && (key.len() + bytes + ENTRY_BYTES) * ENTRY_SHARE <= near.bytes_max {
            near.single_flight.unless_invalidated(*hash, key, *fetch, || {
                near.counters.inserted.fetch_add(1, Relaxed);
                near.values.insert(key.clone(), Arc::clone(&kept));
            });
        }
        Ok(kept)
    }
}

impl<V: Send + Sync + 'static, E: Clone + Send + Sync + 'static> Drop for PendingEntry<V, E> {
    fn drop(&mut self) {
        self.near.single_flight.finish(self.hash, &self.key, self.fetch);
    }
}

#[cfg(test)]
mod tests;
