//! Counters: atomics without locks, cheap enough for every request.

use super::{labels::Label, sums::Sums};
use std::marker::PhantomData;

/// A number that only grows.
pub struct Counter(Sums);

impl Default for Counter {
    fn default() -> Self {
        Self(Sums::new(1))
    }
}

impl Counter {
    /// Adds one.
    pub fn count(&self) {
        self.add(1);
    }

    /// Adds `more`.
    pub fn add(&self, more: u64) {
        self.0.add([(0, more)]);
    }

    /// Returns the current number.
    pub fn get(&self) -> u64 {
        self.0.get(0)
    }
}

/// One counter for each value of a label.
pub struct Counters<L> {
    sums: Sums,
    label: PhantomData<L>,
}

impl<L: Label> Default for Counters<L> {
    fn default() -> Self {
        Self { sums: Sums::new(L::ALL.len()), label: PhantomData }
    }
}

impl<L: Label> Counters<L> {
    /// Adds one to the counter of a value.
    pub fn count(&self, label: L) {
        self.add(label, 1);
    }

    /// Adds `more` to the counter of a value.
    pub fn add(&self, label: L, more: u64) {
        self.sums.add([(label.position(), more)]);
    }

    /// Returns the count of a value.
    pub fn get(&self, label: L) -> u64 {
        self.sums.get(label.position())
    }

    /// Returns each value with its count.
    pub fn rows(&self) -> impl Iterator<Item = ([&'static str; 1], u64)> + '_ {
        L::ALL.iter().map(|label| ([label.name()], self.get(*label)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        telemetry::metrics::{
            Outcome,
            histogram::{BOUNDS_US, Histograms},
        },
        types::worker,
    };
    use std::{thread, time::Duration};

    #[test]
    fn what_several_workers_count_is_added_up() {
        let (counters, histograms) = (Counters::<Outcome>::default(), Histograms::<Outcome>::default());
        thread::scope(|threads| {
            for number in 0..100 {
                let (counters, histograms) = (&counters, &histograms);
                threads.spawn(move || {
                    worker::enter(number, 100);
                    counters.add(Outcome::NotFound, 2);
                    histograms.observe(Outcome::Cancelled, Duration::from_secs(20));
                });
            }
        });
        assert_eq!((counters.get(Outcome::NotFound), counters.get(Outcome::Success)), (200, 0));
        let read = histograms.read(Outcome::Cancelled);
        assert_eq!((read.count(), read.buckets[BOUNDS_US.len()]), (100, 100));
        assert!((read.sum_secs() - 2_000.0).abs() < 1e-6, "{}", read.sum_secs());
        assert_eq!(histograms.read(Outcome::InternalError).count(), 0);
    }
}
