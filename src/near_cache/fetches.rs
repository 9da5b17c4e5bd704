//! What is being fetched: at most once for each key, and given up when nobody waits for it any more.
//!
//! A fetch is a task of its own on the event loop where it was asked for first, so that those who wait for it on other
//! threads neither run it nor hold up each other.

use super::Kept;
use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};
use tokio::{sync::watch, task::AbortHandle};

/// Locks that keys are spread over; a power of two.
const PLACES: usize = 64;

pub type Outcome<V, E> = Result<Arc<Kept<V>>, E>;
type Told<V, E> = watch::Receiver<Option<Outcome<V, E>>>;
type Place<V, E> = HashMap<Box<[u8]>, UnderWay<V, E>>;

pub struct Fetches<V, E> {
    places: Box<[Mutex<Place<V, E>>]>,
    ids: AtomicU64,
}

struct UnderWay<V, E> {
    id: u64,
    task: Weak<Task>,
    outcome: Told<V, E>,
}

/// One who waits for a fetch; with the last of them it ends.
pub struct Fetch<V, E> {
    outcome: Told<V, E>,
    _task: Arc<Task>,
}

#[derive(Default)]
struct Task(OnceLock<AbortHandle>);

impl Drop for Task {
    fn drop(&mut self) {
        if let Some(task) = self.0.get() {
            task.abort();
        }
    }
}

impl<V, E: Clone> Fetch<V, E> {
    /// What was fetched; `None` if the fetch was ended before.
    pub async fn outcome(mut self) -> Option<Outcome<V, E>> {
        self.outcome.wait_for(Option::is_some).await.ok()?.clone()
    }
}

impl<V, E> Default for Fetches<V, E> {
    fn default() -> Self {
        Self { places: std::iter::repeat_with(Mutex::default).take(PLACES).collect(), ids: AtomicU64::new(0) }
    }
}

impl<V: Send + Sync + 'static, E: Send + Sync + 'static> Fetches<V, E> {
    /// What is being fetched for `key`; `hash` is the key's.
    pub fn find(&self, hash: u64, key: &[u8]) -> Option<Fetch<V, E>> {
        let place = self.place(hash);
        let UnderWay { task, outcome, .. } = place.get(key)?;
        Some(Fetch { _task: task.upgrade()?, outcome: outcome.clone() })
    }

    pub fn next_id(&self) -> u64 {
        self.ids.fetch_add(1, Relaxed)
    }

    /// Begins a fetch. It takes the place of another one, which then keeps nothing.
    pub fn begin(
        &self,
        hash: u64,
        key: &[u8],
        id: u64,
        fetch: impl Future<Output = Outcome<V, E>> + Send + 'static,
    ) -> Fetch<V, E> {
        let (tell, outcome) = watch::channel(None);
        let task = Arc::new(Task::default());
        // Noted before it runs, or it might be over before.
        let under_way = UnderWay { id, task: Arc::downgrade(&task), outcome: outcome.clone() };
        self.place(hash).insert(key.into(), under_way);
        let running = tokio::spawn(async move {
            tell.send_replace(Some(fetch.await));
        });
        // It is set here alone.
        let _first = task.0.set(running.abort_handle());
        Fetch { outcome, _task: task }
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
