//! Reference counts that only one worker writes: a count that all workers change with each request would travel from
//! core to core.

use super::worker::{SLOTS, slot};
use arc_swap::ArcSwap;
use crossbeam_utils::CachePadded;
use std::{ops::Deref, sync::Arc};

/// A handle on a value, which counts on a cache line of the worker that it was first made for.
pub struct WorkerArc<T>(Arc<CachePadded<Arc<T>>>);

impl<T> Deref for WorkerArc<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

/// A value that is replaced as a whole now and then, and to which each worker has handles of its own.
pub struct WorkerSwap<T>([ArcSwap<CachePadded<Arc<T>>>; SLOTS]);

impl<T> WorkerSwap<T> {
    /// Publishes a first value.
    pub fn new(value: T) -> Self {
        let value = Arc::new(value);
        Self(std::array::from_fn(|_| ArcSwap::new(copy_of(&value))))
    }

    /// Returns a handle on the current value.
    pub fn load(&self) -> WorkerArc<T> {
        WorkerArc(self.0[slot()].load_full())
    }

    /// Replaces the value. Once this returns, all workers load the next one. To be called by one thread at a time.
    pub fn store(&self, next: T) {
        let next = Arc::new(next);
        for worker in &self.0 {
            worker.store(copy_of(&next));
        }
    }
}

/// Returns another count of a value.
fn copy_of<T>(value: &Arc<T>) -> Arc<CachePadded<Arc<T>>> {
    Arc::new(CachePadded::new(Arc::clone(value)))
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
