//! Amounts of a resource that all workers share, such as memory or commands in flight.
//!
//! A worker keeps what its requests give back, and its next requests take that, so that they write no memory that other
//! workers write. What is kept is not lost to others: a request that finds nothing left takes it back from all workers
//! before it is refused.

use super::per_worker::{OwnLines, PerWorker};
use crossbeam_utils::CachePadded;
use std::sync::{
    Mutex, MutexGuard, PoisonError,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

/// The amount of a resource that is in use. Its maximum is given with each request, because a reload can change it.
///
/// Invariant: `taken` is what is in use, and what the workers keep. So never more than the maximum is in use.
#[derive(Default)]
pub struct ResourcePool {
    /// Written only when a worker uses more than ever before, or when something was taken back.
    taken: CachePadded<AtomicUsize>,
    /// The amounts that the workers keep.
    kept: PerWorker<OwnLines<AtomicUsize>>,
    /// Locked while the kept amounts are taken back, so that nobody is refused while they are on their way.
    reclaim: Mutex<()>,
}

impl ResourcePool {
    /// Returns the amount in use.
    pub fn in_use(&self) -> usize {
        let _no_reclaim = self.lock();
        let taken = self.taken.load(Relaxed);
        // What is given back after it was read as taken may be more than that.
        taken.saturating_sub(self.kept.all().map(|kept| kept.load(Relaxed)).sum())
    }

    /// Returns an amount that is not less than that in use, and costs less to find out.
    pub fn in_use_at_most(&self) -> usize {
        self.taken.load(Relaxed)
    }

    /// Takes an amount into use, unless more than `max` would then be in use.
    pub fn try_take(&self, amount: usize, max: usize) -> bool {
        self.take_kept(amount, max) || self.take_more(amount, max)
    }

    /// Takes an amount into use if nothing is in use.
    pub fn try_take_alone(&self, amount: usize) -> bool {
        let _lock = self.reclaim();
        self.taken.compare_exchange(0, amount, Relaxed, Relaxed).is_ok()
    }

    /// Gives back an amount that was taken.
    pub fn give_back(&self, amount: usize) {
        self.own().fetch_add(amount, Relaxed);
    }

    fn take_kept(&self, amount: usize, max: usize) -> bool {
        // The maximum may have been larger when more was taken.
        self.taken.load(Relaxed) <= max
            && self.own().fetch_update(Relaxed, Relaxed, |kept| kept.checked_sub(amount)).is_ok()
    }

    /// Takes more than the worker keeps. Apart from the hot path, which stays short.
    #[cold]
    fn take_more(&self, amount: usize, max: usize) -> bool {
        self.take_shared(amount, max) || {
            let _lock = self.reclaim();
            self.take_shared(amount, max)
        }
    }

    fn take_shared(&self, amount: usize, max: usize) -> bool {
        let add = |taken: usize| taken.checked_add(amount).filter(|total| *total <= max);
        self.taken.fetch_update(Relaxed, Relaxed, add).is_ok()
    }

    /// Takes back what the workers keep.
    fn reclaim(&self) -> MutexGuard<'_, ()> {
        let lock = self.lock();
        for kept in self.kept.all() {
            // Read before it is written: most workers keep nothing when a resource is scarce.
            if kept.load(Relaxed) > 0 {
                self.taken.fetch_sub(kept.swap(0, Relaxed), Relaxed);
            }
        }
        lock
    }

    fn own(&self) -> &AtomicUsize {
        self.kept.own(Box::default)
    }

    fn lock(&self) -> MutexGuard<'_, ()> {
        self.reclaim.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::worker;
    use std::thread;

    /// Runs an action on a thread that is this worker.
    fn on_worker<T: Send>(number: usize, action: impl FnOnce() -> T + Send) -> T {
        let run = || {
            worker::enter(number, 3);
            action()
        };
        thread::scope(|threads| threads.spawn(run).join().expect("the action does not panic"))
    }

    #[test]
    fn what_one_worker_gives_back_can_be_taken_by_another() {
        let pool = ResourcePool::default();
        on_worker(0, || {
            assert!(pool.try_take(6, 10) && pool.try_take(4, 10) && !pool.try_take(1, 10));
            pool.give_back(6);
        });
        assert_eq!((pool.in_use(), pool.in_use_at_most()), (4, 10));
        on_worker(1, || assert!(!pool.try_take(7, 10) && pool.try_take(6, 10)));
        assert_eq!(pool.in_use(), 10);
        on_worker(2, || {
            pool.give_back(4);
            pool.give_back(6);
        });
        assert_eq!(pool.in_use(), 0);
    }

    #[test]
    fn a_worker_takes_again_what_it_gave_back_without_taking_more_from_the_others() {
        let pool = ResourcePool::default();
        on_worker(0, || {
            for amount in [100, 80, 100, 1] {
                assert!(pool.try_take(amount, 1_000));
                pool.give_back(amount);
            }
        });
        assert_eq!((pool.in_use(), pool.in_use_at_most()), (0, 100));
    }

    #[test]
    fn what_was_taken_under_a_larger_maximum_counts_under_the_smaller_one() {
        let pool = ResourcePool::default();
        assert!(pool.try_take(6, 10) && pool.try_take(4, 10));
        pool.give_back(4);
        assert!(!pool.try_take(1, 6));
        pool.give_back(1);
        assert!(pool.try_take(1, 6) && !pool.try_take(1, 6));
    }

    #[test]
    fn an_amount_is_taken_alone_only_if_nothing_is_in_use() {
        let pool = ResourcePool::default();
        assert!(pool.try_take(2, 3));
        assert!(!pool.try_take_alone(9));
        on_worker(0, || pool.give_back(2));
        assert!(pool.try_take_alone(9) && !pool.try_take(1, 3));
        pool.give_back(9);
        assert!(pool.try_take(3, 3) && !pool.try_take(1, 3));
    }

    #[test]
    fn the_maximum_holds_while_many_workers_take_and_give_back() {
        const MAX: usize = 5;
        let (pool, in_use, most) = (ResourcePool::default(), AtomicUsize::new(0), AtomicUsize::new(0));
        let taken: usize = thread::scope(|threads| {
            let workers: Vec<_> = (0..8)
                .map(|number| {
                    let (pool, in_use, most) = (&pool, &in_use, &most);
                    threads.spawn(move || {
                        worker::enter(number, 8);
                        let amounts = (0..20_000).map(|turn| 1 + (turn + number) % 3);
                        let taken = amounts.filter(|amount| {
                            let is_taken = pool.try_take(*amount, MAX);
                            if is_taken {
                                most.fetch_max(in_use.fetch_add(*amount, Relaxed) + amount, Relaxed);
                                in_use.fetch_sub(*amount, Relaxed);
                                pool.give_back(*amount);
                            }
                            is_taken
                        });
                        taken.count()
                    })
                })
                .collect();
            workers.into_iter().map(|worker| worker.join().expect("no worker panics")).sum()
        });
        assert!((1..=MAX).contains(&most.load(Relaxed)) && taken > 0);
        assert_eq!(pool.in_use(), 0);
        assert!(pool.in_use_at_most() <= MAX && pool.try_take(MAX, MAX));
    }
}
