//! What is being fetched: at most once for each key, and given up when nobody waits for it any more.
//!
//! A fetch is a task of its own on the event loop where it was asked for first, so that those who wait for it on other
//! threads neither run it nor hold up each other.

use super::CachedValue;
use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};
use tokio::{sync::watch, task::AbortHandle};

/// Locks that keys are spread over; a power of two.
const TABLES: usize = 64;

pub type FetchOutcome<V, E> = Result<Arc<CachedValue<V>>, E>;
type OutcomeReceiver<V, E> = watch::Receiver<Option<FetchOutcome<V, E>>>;
type FlightTable<V, E> = HashMap<Box<[u8]>, InFlightFetch<V, E>>;

pub struct SingleFlight<V, E> {
    tables: Box<[Mutex<FlightTable<V, E>>]>,
    ids: AtomicU64,
}

struct InFlightFetch<V, E> {
    id: u64,
    task: Weak<FetchTask>,
    outcome: OutcomeReceiver<V, E>,
}

/// One who waits for a fetch; with the last of them it ends.
pub struct FetchHandle<V, E> {
    outcome: OutcomeReceiver<V, E>,
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

impl<V, E: Clone> FetchHandle<V, E> {
    /// What was fetched; `None` if the fetch was ended before.
    pub async fn outcome(mut self) -> Option<FetchOutcome<V, E>> {
        self.outcome.wait_for(Option::is_some).await.ok()?.clone()
    }
}

impl<V, E> Default for SingleFlight<V, E> {
    fn default() -> Self {
        Self { tables: std::iter::repeat_with(Mutex::default).take(TABLES).collect(), ids: AtomicU64::new(0) }
    }
}

impl<V: Send + Sync + 'static, E: Send + Sync + 'static> SingleFlight<V, E> {
    /// What is being fetched for `key`; `hash` is the key's.
    pub fn join(&self, hash: u64, key: &[u8]) -> Option<FetchHandle<V, E>> {
        let place = self.table(hash);
        let InFlightFetch { task, outcome, .. } = place.get(key)?;
        Some(FetchHandle { _task: task.upgrade()?, outcome: outcome.clone() })
    }

    pub fn next_id(&self) -> u64 {
        self.ids.fetch_add(1, Relaxed)
    }

    /// Begins a fetch. It takes the place of another one, which then keeps nothing.
    pub fn start(
        &self,
        hash: u64,
        key: &[u8],
        id: u64,
        fetch: impl Future<Output = FetchOutcome<V, E>> + Send + 'static,
    ) -> FetchHandle<V, E> {
        let (tell, outcome) = watch::channel(None);
        let task = Arc::new(FetchTask::default());
        // Noted before it runs, or it might be over before.
        let under_way = InFlightFetch { id, task: Arc::downgrade(&task), outcome: outcome.clone() };
        self.table(hash).insert(key.into(), under_way);
        let running = tokio::spawn(async move {
            tell.send_replace(Some(fetch.await));
        });
        // It is set here alone.
        let _first = task.0.set(running.abort_handle());
        FetchHandle { outcome, _task: task }
    }

    /// Runs `keep` unless the key was forgotten since the fetch began. Whoever forgets it now waits until that is over.
    pub fn unless_invalidated(&self, hash: u64, key: &[u8], id: u64, keep: impl FnOnce()) {
        let place = self.table(hash);
        if place.get(key).is_some_and(|under_way| under_way.id == id) {
            keep();
        }
    }

    /// Notes that a fetch is over.
    pub fn finish(&self, hash: u64, key: &[u8], id: u64) {
        let mut place = self.table(hash);
        if place.get(key).is_some_and(|under_way| under_way.id == id) {
            place.remove(key);
        }
    }

    /// Nothing is kept of what is being fetched now, and nobody joins it any more. True if there is anything.
    pub fn invalidate(&self, hash: u64, key: &[u8]) -> bool {
        self.table(hash).remove(key).is_some()
    }

    pub fn invalidate_all(&self) {
        for place in &self.tables {
            place.lock().unwrap_or_else(PoisonError::into_inner).clear();
        }
    }

    fn table(&self, hash: u64) -> MutexGuard<'_, FlightTable<V, E>> {
        let position = usize::try_from(hash >> 32).unwrap_or_default() % TABLES;
        self.tables[position].lock().unwrap_or_else(PoisonError::into_inner)
    }
}
