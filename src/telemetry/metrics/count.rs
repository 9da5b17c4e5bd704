//! Numbers that only grow, cheap enough for every request: atomics without locks, read when somebody looks.
//!
//! prometheus-client's own histogram takes a lock for each observation, which requests of several cores would wait for.

use super::labels::Label;
use std::{
    marker::PhantomData,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

/// Upper ends of a histogram's buckets, in microseconds: from a fast answer to one that nobody waited for.
pub const BOUNDS_US: [u64; 16] = [
    100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000,
    5_000_000, 10_000_000,
];

#[derive(Default)]
pub struct Counter(AtomicU64);

impl Counter {
    pub fn count(&self) {
        self.add(1);
    }

    pub fn add(&self, more: u64) {
        self.0.fetch_add(more, Relaxed);
    }

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
    pub fn of(&self, label: L) -> &Counter {
        &self.all[label.position()]
    }

    pub fn count(&self, label: L) {
        self.of(label).count();
    }

    /// Each value with its count.
    pub fn rows(&self) -> impl Iterator<Item = ([&'static str; 1], u64)> + '_ {
        L::ALL.iter().map(|label| ([label.name()], self.of(*label).get()))
    }
}

/// How many durations fell into each bucket of a [`Histogram`].
pub type Buckets = [u64; BOUNDS_US.len() + 1];

/// How long things took.
#[derive(Default)]
pub struct Histogram {
    /// Of each bucket; the last one has no upper end.
    counts: [AtomicU64; BOUNDS_US.len() + 1],
    sum_ns: AtomicU64,
}

impl Histogram {
    pub fn observe(&self, took: Duration) {
        let ns = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        let bucket = BOUNDS_US.partition_point(|bound| bound * 1_000 < ns);
        self.counts[bucket].fetch_add(1, Relaxed);
        self.sum_ns.fetch_add(ns, Relaxed);
    }

    /// How often something was noted.
    pub fn count(&self) -> u64 {
        self.counts.iter().map(|count| count.load(Relaxed)).sum()
    }

    pub fn buckets(&self) -> Buckets {
        std::array::from_fn(|bucket| self.counts[bucket].load(Relaxed))
    }

    /// The sum in seconds, and of each bucket its upper end in seconds and its own count.
    pub fn read(&self) -> (f64, Vec<(f64, u64)>) {
        let ends = BOUNDS_US.iter().map(|bound| Duration::from_micros(*bound).as_secs_f64()).chain([f64::INFINITY]);
        let buckets = ends.zip(&self.counts).map(|(end, count)| (end, count.load(Relaxed))).collect();
        (Duration::from_nanos(self.sum_ns.load(Relaxed)).as_secs_f64(), buckets)
    }
}

/// The duration that this part of all did not exceed, in microseconds, as near as the buckets tell; of what exceeds
/// them all, where they end. `None` where there is nothing.
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
        let of = |part| quantile_us(&histogram.buckets(), part).expect("some were noted");
        assert!((0.0..=100.0).contains(&of(0.5)) && (500.0..=1_000.0).contains(&of(0.985)), "{}", of(0.985));
        assert!((of(1.0) - 10_000_000.0).abs() < 1.0, "{}", of(1.0));
    }

    #[test]
    fn a_bucket_holds_what_took_no_longer_than_its_upper_end() {
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
