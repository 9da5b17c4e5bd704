//! Counters and histograms: atomics without locks, cheap enough for every request.
//!
//! The histogram of prometheus-client takes a lock for each observation, so that requests on several cores would wait
//! for each other.

use super::labels::Label;
use std::{
    marker::PhantomData,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

/// The upper bounds of a histogram's buckets in microseconds, from a fast response to the longest deadlines.
pub const BOUNDS_US: [u64; 16] = [
    100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000,
    5_000_000, 10_000_000,
];

/// A number that only grows.
#[derive(Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds one.
    pub fn count(&self) {
        self.add(1);
    }

    /// Adds `more`.
    pub fn add(&self, more: u64) {
        self.0.fetch_add(more, Relaxed);
    }

    /// Returns the current number.
    pub fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// One counter for each value of a label.
pub struct Counters<L> {
    all: Box<[Counter]>,
    label: PhantomData<L>,
}

impl<L: Label> Default for Counters<L> {
    fn default() -> Self {
        Self { all: L::ALL.iter().map(|_| Counter::default()).collect(), label: PhantomData }
    }
}

impl<L: Label> Counters<L> {
    /// Returns the counter of a value.
    pub fn get(&self, label: L) -> &Counter {
        &self.all[label.position()]
    }

    /// Adds one to the counter of a value.
    pub fn count(&self, label: L) {
        self.get(label).count();
    }

    /// Returns each value with its count.
    pub fn rows(&self) -> impl Iterator<Item = ([&'static str; 1], u64)> + '_ {
        L::ALL.iter().map(|label| ([label.name()], self.get(*label).get()))
    }
}

/// The number of durations in each bucket of a [`Histogram`].
pub type Buckets = [u64; BOUNDS_US.len() + 1];

/// The distribution of durations.
#[derive(Default)]
pub struct Histogram {
    /// The number of durations in each bucket. The last bucket has no upper bound.
    counts: [AtomicU64; BOUNDS_US.len() + 1],
    /// The sum of all durations, in nanoseconds.
    sum_ns: AtomicU64,
}

impl Histogram {
    /// Adds a duration.
    pub fn observe(&self, duration: Duration) {
        let ns = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        let bucket = BOUNDS_US.partition_point(|bound| bound * 1_000 < ns);
        self.counts[bucket].fetch_add(1, Relaxed);
        self.sum_ns.fetch_add(ns, Relaxed);
    }

    /// Returns the number of durations that were observed.
    pub fn count(&self) -> u64 {
        self.counts.iter().map(|count| count.load(Relaxed)).sum()
    }

    /// Returns the number of durations in each bucket.
    pub fn buckets(&self) -> Buckets {
        std::array::from_fn(|bucket| self.counts[bucket].load(Relaxed))
    }

    /// Returns the sum in seconds and, for each bucket, its upper bound in seconds with its own count.
    pub fn read(&self) -> (f64, Vec<(f64, u64)>) {
        let bounds = BOUNDS_US.iter().map(|bound| Duration::from_micros(*bound).as_secs_f64()).chain([f64::INFINITY]);
        let buckets = bounds.zip(&self.counts).map(|(bound, count)| (bound, count.load(Relaxed))).collect();
        (Duration::from_nanos(self.sum_ns.load(Relaxed)).as_secs_f64(), buckets)
    }
}

/// Estimates a quantile of durations, in microseconds, by interpolation within its bucket.
///
/// `part` is between 0 and 1. Durations above the last bound count as that bound. `None` means that there are no
/// durations.
#[expect(clippy::cast_precision_loss, reason = "an estimate for people")]
pub fn quantile_us(buckets: &Buckets, part: f64) -> Option<f64> {
    let total: u64 = buckets.iter().sum();
    if total == 0 {
        return None;
    }
    let rank = total as f64 * part;
    let mut below = 0.0;
    for (bucket, count) in buckets.iter().enumerate() {
        let count = *count as f64;
        if count > 0.0 && below + count >= rank {
            let start = bucket.checked_sub(1).map_or(0, |before| BOUNDS_US[before]) as f64;
            let end = BOUNDS_US.get(bucket).map_or(start, |bound| *bound as f64);
            return Some(start + (end - start) * (rank - below) / count);
        }
        below += count;
    }
    BOUNDS_US.last().map(|end| *end as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_lies_in_the_bucket_of_its_rank() {
        let histogram = Histogram::default();
        assert_eq!(quantile_us(&histogram.buckets(), 0.5), None);
        for us in [50; 98].into_iter().chain([600, 20_000_000]) {
            histogram.observe(Duration::from_micros(us));
        }
        let [median, upper, maximum] =
            [0.5, 0.985, 1.0].map(|part| quantile_us(&histogram.buckets(), part).expect("there are observations"));
        assert!((0.0..=100.0).contains(&median), "{median}");
        assert!((500.0..=1_000.0).contains(&upper), "{upper}");
        assert!((maximum - 10_000_000.0).abs() < 1.0, "{maximum}");
    }

    #[test]
    fn a_bucket_holds_durations_up_to_and_including_its_upper_bound() {
        let histogram = Histogram::default();
        for us in [0, 100, 101, 10_000_000, 10_000_001] {
            histogram.observe(Duration::from_micros(us));
        }
        let (sum, buckets) = histogram.read();
        assert!((sum - 20.000_202).abs() < 1e-6, "{sum}");
        assert_eq!((buckets[0], buckets[1]), ((0.0001, 2), (0.00025, 1)));
        assert_eq!((buckets[15], buckets[16]), ((10.0, 1), (f64::INFINITY, 1)));
        assert_eq!(histogram.count(), 5);
    }
}
