//! Single flight: at most one fetch runs for each key, and it is aborted when its last waiter is gone.
//!
//! A fetch is a task of its own on the event loop where it was first asked for, so that waiters on other threads neither
//! run it nor delay each other.

use super::cached_value::CachedValue;
use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};
use tokio::{sync::SetOnce, task::AbortHandle};

/// Locks that keys are spread over; a power of two.
const TABLES: usize = 64;

/// The outcome of a fetch.
pub type FetchOutcome<V, E> = Result<Arc<CachedValue<V>>, E>;
/// The place of a fetch's outcome; `None` there means that the fetch ended without one.
type OutcomeCell<V, E> = Arc<SetOnce<Option<FetchOutcome<V, E>>>>;
type FlightTable<V, E> = HashMap<Box<[u8]>, InFlightFetch<V, E>>;

/// The fetches that run now, by key.
pub struct SingleFlight<V, E> {
    tables: Box<[Mutex<FlightTable<V, E>>]>,
    ids: AtomicU64,
}

struct InFlightFetch<V, E> {
    id: u64,
    task: Weak<FetchTask>,
    outcome: OutcomeCell<V, E>,
}

/// The share of one waiter in a fetch, which ends with its last waiter.
pub struct FetchHandle<V, E> {
    outcome: OutcomeCell<V, E>,
    _task: Arc<FetchTask>,
}

#[derive(Default)]
struct FetchTask(OnceLock<AbortHandle>);

impl Drop for FetchTask {
    fn drop(&mut self) {
        if let Some(task) = self.0.get() {
            task.abort();
        }
    }
}

/// Sets the outcome of a fetch to `None` if the fetch ends without one.
struct OutcomeGuard<V, E>(OutcomeCell<V, E>);

impl<V, E> OutcomeGuard<V, E> {
    fn set(&self, outcome: Option<FetchOutcome<V, E>>) {
        // The first outcome counts.
        let _first = self.0.set(outcome);
    }
}

impl<V, E> Drop for OutcomeGuard<V, E> {
    fn drop(&mut self) {
        self.set(None);
    }
}

impl<V, E: Clone> FetchHandle<V, E> {
    /// Waits for the outcome. Returns `None` if the fetch ended without one.
    pub async fn outcome(self) -> Option<FetchOutcome<V, E>> {
        self.outcome.wait().await.clone()
    }
}

impl<V, E> Default for SingleFlight<V, E> {
    fn default() -> Self {
        Self { tables: std::iter::repeat_with(Mutex::default).take(TABLES).collect(), ids: AtomicU64::new(0) }
    }
}

impl<V: Send + Sync + 'static, E: Send + Sync + 'static> SingleFlight<V, E> {
    /// Joins the fetch for `key`, if one runs; `hash` is the hash of the key.
    pub fn join(&self, hash: u64, key: &[u8]) -> Option<FetchHandle<V, E>> {
        let table = self.table(hash);
        let InFlightFetch { task, outcome, .. } = table.get(key)?;
        Some(FetchHandle { _task: task.upgrade()?, outcome: Arc::clone(outcome) })
    }

    /// Returns an id for a new fetch.
    pub fn next_id(&self) -> u64 {
        self.ids.fetch_add(1, Relaxed)
    }

    /// Starts a fetch. It replaces another fetch of the key, whose value is then not cached.
    pub fn start(
        &self,
        hash: u64,
        key: &[u8],
        id: u64,
        fetch: impl Future<Output = FetchOutcome<V, E>> + Send + 'static,
    ) -> FetchHandle<V, E> {
        let outcome = OutcomeCell::default();
        let guard = OutcomeGuard(Arc::clone(&outcome));
        let task = Arc::new(FetchTask::default());
        // Inserted before the task starts, because the fetch may be over at once.
        let in_flight = InFlightFetch { id, task: Arc::downgrade(&task), outcome: Arc::clone(&outcome) };
        self.table(hash).insert(key.into(), in_flight);
        let running = tokio::spawn(async move {
            guard.set(Some(fetch.await));
        });
        // Nobody else sets the handle.
        let _first = task.0.set(running.abort_handle());
        FetchHandle { outcome, _task: task }
    }

    /// Runs `insert` unless the key was invalidated since the fetch began. An invalidation waits until that is over.
    pub fn unless_invalidated(&self, hash: u64, key: &[u8], id: u64, insert: impl FnOnce()) {
        let table = self.table(hash);
        if table.get(key).is_some_and(|in_flight| in_flight.id == id) {
            insert();
        }
    }

    /// Removes a fetch that is over.
    pub fn finish(&self, hash: u64, key: &[u8], id: u64) {
        let mut table = self.table(hash);
        if table.get(key).is_some_and(|in_flight| in_flight.id == id) {
            table.remove(key);
        }
    }

    /// Prevents that the fetch of a key is cached or joined any more. Returns true if one runs.
    pub fn invalidate(&self, hash: u64, key: &[u8]) -> bool {
        self.table(hash).remove(key).is_some()
    }

    /// Prevents that any fetch that runs now is cached or joined any more.
    pub fn invalidate_all(&self) {
        for table in &self.tables {
            table.lock().unwrap_or_else(PoisonError::into_inner).clear();
        }
    }

    fn table(&self, hash: u64) -> MutexGuard<'_, FlightTable<V, E>> {
        let position = usize::try_from(hash >> 32).unwrap_or_default() % TABLES;
        self.tables[position].lock().unwrap_or_else(PoisonError::into_inner)
    }
}
