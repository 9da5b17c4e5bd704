//! Histograms: atomics without locks, cheap enough for every request.
//!
//! The histogram of prometheus-client takes a lock for each observation, so that requests on several cores would wait
//! for each other.

use super::{labels::Label, sums::Sums};
use std::{marker::PhantomData, time::Duration};

/// The upper bounds of a histogram's buckets in microseconds, from a fast response to the longest deadlines.
pub const BOUNDS_US: [u64; 16] = [
    100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000,
    5_000_000, 10_000_000,
];

/// The number of durations in each bucket of a [`Histogram`]. The last bucket has no upper bound.
pub type Buckets = [u64; BOUNDS_US.len() + 1];

/// The numbers of one histogram: those of its buckets, and the sum of all durations in nanoseconds.
const NUMBERS_PER_HISTOGRAM: usize = BOUNDS_US.len() + 2;

/// One distribution of durations for each value of a label.
pub struct Histograms<L> {
    sums: Sums,
    label: PhantomData<L>,
}

impl<L: Label> Default for Histograms<L> {
    fn default() -> Self {
        Self { sums: Sums::new(L::ALL.len() * NUMBERS_PER_HISTOGRAM), label: PhantomData }
    }
}

impl<L: Label> Histograms<L> {
    /// Adds a duration to the distribution of a value.
    pub fn observe(&self, label: L, duration: Duration) {
        observe(&self.sums, label.position(), duration);
    }

    /// Returns the distribution of a value.
    pub fn read(&self, label: L) -> Distribution {
        Distribution::read(&self.sums, label.position())
    }
}

/// The distribution of durations.
pub struct Histogram(Sums);

impl Default for Histogram {
    fn default() -> Self {
        Self(Sums::new(NUMBERS_PER_HISTOGRAM))
    }
}

impl Histogram {
    /// Adds a duration.
    pub fn observe(&self, duration: Duration) {
        observe(&self.0, 0, duration);
    }

    /// Returns the distribution.
    pub fn read(&self) -> Distribution {
        Distribution::read(&self.0, 0)
    }
}

/// Adds a duration to the histogram with this position.
fn observe(sums: &Sums, histogram: usize, duration: Duration) {
    let ns = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
    let bucket = BOUNDS_US.partition_point(|bound| bound * 1_000 < ns);
    let first = histogram * NUMBERS_PER_HISTOGRAM;
    sums.add([(first + bucket, 1), (first + BOUNDS_US.len() + 1, ns)]);
}

/// The durations that a histogram had observed when it was read.
#[derive(Clone, Copy)]
pub struct Distribution {
    /// The number of durations in each bucket.
    pub buckets: Buckets,
    sum_ns: u64,
}

impl Distribution {
    fn read(sums: &Sums, histogram: usize) -> Self {
        let first = histogram * NUMBERS_PER_HISTOGRAM;
        let buckets = std::array::from_fn(|bucket| sums.get(first + bucket));
        Self { buckets, sum_ns: sums.get(first + BOUNDS_US.len() + 1) }
    }

    /// Returns the number of durations.
    pub fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }

    /// Returns the sum of all durations in seconds.
    pub fn sum_secs(&self) -> f64 {
        Duration::from_nanos(self.sum_ns).as_secs_f64()
    }

    /// Returns each bucket's upper bound in seconds with its own count.
    pub fn rows(&self) -> Vec<(f64, u64)> {
        let bounds = BOUNDS_US.iter().map(|bound| Duration::from_micros(*bound).as_secs_f64()).chain([f64::INFINITY]);
        bounds.zip(self.buckets).collect()
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
        assert_eq!(quantile_us(&histogram.read().buckets, 0.5), None);
        for us in [50; 98].into_iter().chain([600, 20_000_000]) {
            histogram.observe(Duration::from_micros(us));
        }
        let [median, upper, maximum] =
            [0.5, 0.985, 1.0].map(|part| quantile_us(&histogram.read().buckets, part).expect("there are observations"));
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
        let read = histogram.read();
        let (sum, buckets) = (read.sum_secs(), read.rows());
        assert!((sum - 20.000_202).abs() < 1e-6, "{sum}");
        assert_eq!((buckets[0], buckets[1]), ((0.0001, 2), (0.00025, 1)));
        assert_eq!((buckets[15], buckets[16]), ((10.0, 1), (f64::INFINITY, 1)));
        assert_eq!(read.count(), 5);
    }
}
