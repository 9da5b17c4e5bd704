//! What is being fetched: at most once for each key, and given up when nobody waits for it any more.

use super::Kept;
use futures_util::{
    FutureExt,
    future::{BoxFuture, Shared, WeakShared},
};
use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

/// Locks that keys are spread over; a power of two.
const PLACES: usize = 64;

pub type Outcome<V, E> = Result<Arc<Kept<V>>, E>;
/// A fetch that several may wait for. It runs in whoever waits.
pub type Fetch<V, E> = Shared<BoxFuture<'static, Outcome<V, E>>>;
type Place<V, E> = HashMap<Box<[u8]>, UnderWay<V, E>>;

pub struct Fetches<V, E> {
    places: Box<[Mutex<Place<V, E>>]>,
    ids: AtomicU64,
}

struct UnderWay<V, E> {
    id: u64,
    fetch: WeakShared<BoxFuture<'static, Outcome<V, E>>>,
}

impl<V, E: Clone> Default for Fetches<V, E> {
    fn default() -> Self {
        Self { places: std::iter::repeat_with(Mutex::default).take(PLACES).collect(), ids: AtomicU64::new(0) }
    }
}

impl<V, E: Clone> Fetches<V, E> {
    /// What is being fetched for `key`; `hash` is the key's.
    pub fn find(&self, hash: u64, key: &[u8]) -> Option<Fetch<V, E>> {
        self.place(hash).get(key)?.fetch.upgrade()
    }

    pub fn next_id(&self) -> u64 {
        self.ids.fetch_add(1, Relaxed)
    }

    /// Notes a fetch, before it has begun. It takes the place of another one, which then keeps nothing.
    pub fn begin(&self, hash: u64, key: &[u8], id: u64, fetch: &Fetch<V, E>) {
        if let Some(fetch) = fetch.downgrade() {
            self.place(hash).insert(key.into(), UnderWay { id, fetch });
        }
    }

    /// Runs `keep` unless the key was forgotten since the fetch began. Whoever forgets it now waits until that is over.
    pub fn unless_forgotten(&self, hash: u64, key: &[u8], id: u64, keep: impl FnOnce()) {
        let place = self.place(hash);
        if place.get(key).is_some_and(|under_way| under_way.id == id) {
            keep();
        }
    }

    /// Notes that a fetch is over.
    pub fn end(&self, hash: u64, key: &[u8], id: u64) {
        let mut place = self.place(hash);
        if place.get(key).is_some_and(|under_way| under_way.id == id) {
            place.remove(key);
        }
    }

    /// Nothing is kept of what is being fetched now, and nobody joins it any more. True if there is anything.
    pub fn forget(&self, hash: u64, key: &[u8]) -> bool {
        self.place(hash).remove(key).is_some()
    }

    pub fn forget_all(&self) {
        for place in &self.places {
            place.lock().unwrap_or_else(PoisonError::into_inner).clear();
        }
    }

    fn place(&self, hash: u64) -> MutexGuard<'_, Place<V, E>> {
        let position = usize::try_from(hash >> 32).unwrap_or_default() % PLACES;
        self.places[position].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Lets several wait for the same fetch.
pub fn shared<V, E>(fetch: impl Future<Output = Outcome<V, E>> + Send + 'static) -> Fetch<V, E>
where
    E: Clone,
{
    fetch.boxed().shared()
}
