//! Reference counts that only one worker writes: a count that all workers change with each request would travel from
//! core to core.

use super::{
    per_worker::PerWorker,
    worker::{SLOTS, slot},
};
use crossbeam_utils::CachePadded;
use std::{
    ops::Deref,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// A handle on a value, which counts on a cache line of the worker that it was first made for.
pub struct WorkerArc<T>(Arc<CachePadded<Arc<T>>>);

impl<T> WorkerArc<T> {
    /// Returns a handle with another count of its own.
    pub fn new(value: &Arc<T>) -> Self {
        Self(Arc::new(CachePadded::new(Arc::clone(value))))
    }
}

impl<T> WorkerArc<T> {
    /// Returns the handle that all workers share.
    pub fn shared(&self) -> &Arc<T> {
        &self.0
    }
}

impl<T> Clone for WorkerArc<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Deref for WorkerArc<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

/// Handles on one value, of which each worker has its own. They are made by the first worker that needs one.
pub struct WorkerArcs<T>(PerWorker<WorkerArc<T>>);

impl<T> Default for WorkerArcs<T> {
    fn default() -> Self {
        Self(PerWorker::default())
    }
}

impl<T> WorkerArcs<T> {
    /// Returns a handle of the calling worker on `value`, which is the same in all calls.
    pub fn on(&self, value: &Arc<T>) -> WorkerArc<T> {
        self.0.own(|| WorkerArc::new(value)).clone()
    }
}

/// A value that is replaced as a whole now and then, and to which each worker has handles of its own.
///
/// Each worker has a lock of its own, which costs less than a lock-free pointer as long as nobody else takes it.
pub struct WorkerSwap<T>(Box<[CachePadded<Mutex<WorkerArc<T>>>]>);

impl<T> WorkerSwap<T> {
    /// Publishes a first value.
    pub fn new(value: T) -> Self {
        let value = Arc::new(value);
        Self((0..SLOTS).map(|_| CachePadded::new(Mutex::new(WorkerArc::new(&value)))).collect())
    }

    /// Returns a handle on the current value.
    pub fn load(&self) -> WorkerArc<T> {
        lock(&self.0[slot()]).clone()
    }

    /// Replaces the value. Once this returns, all workers load the next one. To be called by one thread at a time.
    pub fn store(&self, next: T) {
        let next = Arc::new(next);
        for worker in &self.0 {
            // The value before is dropped after the lock is released.
            let _before = std::mem::replace(&mut *lock(worker), WorkerArc::new(&next));
        }
    }
}

fn lock<T>(worker: &Mutex<WorkerArc<T>>) -> MutexGuard<'_, WorkerArc<T>> {
    worker.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::worker;
    use std::thread;

    #[test]
    fn all_workers_load_the_last_value_and_none_changes_the_count_of_another() {
        let swap = WorkerSwap::new(1);
        let own = swap.load();
        thread::scope(|threads| {
            threads.spawn(|| {
                worker::enter(0, 1);
                let (first, second) = (swap.load(), swap.load());
                assert_eq!((*first, *second), (1, 1));
                assert_eq!((Arc::strong_count(&first.0), Arc::strong_count(&own.0)), (3, 2));
                swap.store(2);
                assert_eq!((*first, *swap.load()), (1, 2), "a handle keeps its value");
            });
        });
        assert_eq!((*own, *swap.load()), (1, 2));
    }
}
