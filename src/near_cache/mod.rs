//! Recent values in this process, bounded in bytes and in age.
//!
//! A value is kept from the second time on that its key is read, until it is forgotten, too old, or pushed out by
//! others. Those who miss the same key at once share one fetch (`fetches`). What makes a value out of date is for others
//! to say, by [`NearCache::forget`]; what is being fetched then is handed to those who wait for it, and not kept.

mod fetches;
mod seen;

use fetches::{Fetches, Outcome};
use quick_cache::{DefaultHashBuilder, OptionsBuilder, Weighter, sync::Cache, sync::DefaultLifecycle};
use seen::Seen;
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
    kept: Cache<Box<[u8]>, Arc<Kept<V>>, Weight, DefaultHashBuilder>,
    fetches: Fetches<V, E>,
    seen: Seen,
    hasher: DefaultHashBuilder,
    age_max: Duration,
    bytes_max: usize,
    pub counts: Counts,
}

/// A value, and what it takes to keep it.
pub struct Kept<V> {
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

/// What happened so far.
#[derive(Default)]
pub struct Counts {
    pub hits: AtomicU64,
    /// Reads that were not answered from here.
    pub misses: AtomicU64,
    /// Values that came to be kept.
    pub kept: AtomicU64,
    /// Keys that changed while something was kept of them, or being fetched.
    pub forgotten: AtomicU64,
}

#[derive(Clone)]
struct Weight;

impl<V> Weighter<Box<[u8]>, Arc<Kept<V>>> for Weight {
    fn weight(&self, key: &Box<[u8]>, kept: &Arc<Kept<V>>) -> u64 {
        u64::try_from(key.len() + kept.bytes + ENTRY_BYTES).unwrap_or(u64::MAX)
    }
}

impl<V: Send + Sync + 'static, E: Clone + Send + Sync + 'static> NearCache<V, E> {
    pub fn new(bytes_max: usize, age_max: Duration) -> Self {
        let options = OptionsBuilder::new()
            .weight_capacity(u64::try_from(bytes_max).unwrap_or(u64::MAX))
            .estimated_items_capacity(bytes_max / VALUE_BYTES_EXPECTED)
            .build()
            .expect("both capacities are set");
        let hasher = DefaultHashBuilder::default();
        let kept = Cache::with_options(options, Weight, hasher.clone(), DefaultLifecycle::default());
        let (fetches, seen, counts) = (Fetches::default(), Seen::default(), Counts::default());
        Self { kept, fetches, seen, hasher, age_max, bytes_max, counts }
    }

    /// What is kept under `key` and not too old.
    pub fn get(&self, key: &[u8], now: Instant) -> Option<Arc<Kept<V>>> {
        self.kept.get(key).filter(|kept| now < kept.until)
    }

    /// True if it is worth keeping what is under `key`: this is not the first time that somebody asks.
    pub fn wants(&self, key: &[u8]) -> bool {
        self.seen.again(self.hash(key))
    }

    /// What `fetch` brings, or what is being fetched already if that may be `shared`. A fetch goes on for as long as
    /// anybody waits for it, whoever began it.
    pub async fn fetch<F>(self: &Arc<Self>, key: &[u8], shared: bool, fetch: impl FnOnce() -> F) -> Outcome<V, E>
    where
        F: Future<Output = Result<Fetched<V>, E>> + Send + 'static,
    {
        let hash = self.hash(key);
        if shared && let Some(under_way) = self.fetches.find(hash, key) {
            return under_way.await;
        }
        let entry = Entry { near: Arc::clone(self), hash, key: key.into(), fetch: self.fetches.next_id() };
        let id = entry.fetch;
        let fetch = fetches::shared(entry.fill(fetch()));
        self.fetches.begin(hash, key, id, &fetch);
        fetch.await
    }

    /// Drops what is kept under `key`, and keeps nothing of what is being fetched.
    pub fn forget(&self, key: &[u8]) {
        // In this order: a fetch that ends in between keeps nothing any more.
        let fetched = self.fetches.forget(self.hash(key), key);
        if self.kept.remove(key).is_some() || fetched {
            self.counts.forgotten.fetch_add(1, Relaxed);
        }
    }

    /// Drops everything.
    pub fn clear(&self) {
        self.fetches.forget_all();
        self.kept.clear();
    }

    pub fn bytes_max(&self) -> usize {
        self.bytes_max
    }

    /// Entries, and the bytes that they take together.
    pub fn size(&self) -> (usize, u64) {
        (self.kept.len(), self.kept.weight())
    }

    fn hash(&self, key: &[u8]) -> u64 {
        self.hasher.hash_one(key)
    }
}

/// An entry that is being fetched.
struct Entry<V: Send + Sync + 'static, E: Clone + Send + Sync + 'static> {
    near: Arc<NearCache<V, E>>,
    hash: u64,
    key: Box<[u8]>,
    fetch: u64,
}

impl<V: Send + Sync + 'static, E: Clone + Send + Sync + 'static> Entry<V, E> {
    async fn fill(self, fetch: impl Future<Output = Result<Fetched<V>, E>>) -> Outcome<V, E> {
        let start = Instant::now();
        let Fetched { value, bytes, keep } = fetch.await?;
        let Self { near, hash, key, fetch } = &self;
        let left = keep.map(|left| left.min(near.age_max));
        let kept = Arc::new(Kept { value, bytes, until: start + left.unwrap_or_default() });
        if left.is_some() && (key.len() + bytes + ENTRY_BYTES) * ENTRY_SHARE <= near.bytes_max {
            near.fetches.unless_forgotten(*hash, key, *fetch, || {
                near.counts.kept.fetch_add(1, Relaxed);
                near.kept.insert(key.clone(), Arc::clone(&kept));
            });
        }
        Ok(kept)
    }
}

impl<V: Send + Sync + 'static, E: Clone + Send + Sync + 'static> Drop for Entry<V, E> {
    fn drop(&mut self) {
        self.near.fetches.end(self.hash, &self.key, self.fetch);
    }
}

#[cfg(test)]
mod tests;
