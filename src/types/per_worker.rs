//! Values of which each worker has its own, so that requests on several cores do not write the same cache lines.

use super::worker::{SLOTS, slot};
use crossbeam_utils::CachePadded;
use std::sync::OnceLock;

/// A value on cache lines that hold nothing else.
pub type OwnLines<T> = Box<CachePadded<T>>;

/// A value for each worker, and one for all other threads. Each is created by the first thread that uses it.
///
/// The parts of a value that are written have to lie on cache lines of their own: in [`OwnLines`], or in memory that the worker
/// allocated. A process with more workers than
/// [`SLOTS`] lets some of them share a value, so a value must be usable by several threads.
pub struct PerWorker<T>([OnceLock<T>; SLOTS]);

impl<T> Default for PerWorker<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> PerWorker<T> {
    /// Creates a value for nobody yet.
    pub const fn new() -> Self {
        Self([const { OnceLock::new() }; SLOTS])
    }

    /// Returns the value of the calling thread.
    pub fn own(&self, create: impl FnOnce() -> T) -> &T {
        self.0[slot()].get_or_init(create)
    }

    /// Returns the values that exist.
    pub fn all(&self) -> impl Iterator<Item = &T> {
        self.0.iter().filter_map(OnceLock::get)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::worker;
    use std::{
        sync::atomic::{AtomicUsize, Ordering::Relaxed},
        thread,
    };

    #[test]
    fn each_worker_has_a_value_of_its_own_and_all_other_threads_share_one() {
        let values = PerWorker::<OwnLines<AtomicUsize>>::default();
        let count = || values.own(Box::default).fetch_add(1, Relaxed);
        thread::scope(|threads| {
            for number in [None, None, Some(0), Some(1)] {
                threads.spawn(move || {
                    if let Some(number) = number {
                        worker::enter(number, 2);
                    }
                    count();
                });
            }
        });
        let mut counts: Vec<usize> = values.all().map(|value| value.load(Relaxed)).collect();
        counts.sort_unstable();
        assert_eq!(counts, [1, 1, 2]);
    }
}
