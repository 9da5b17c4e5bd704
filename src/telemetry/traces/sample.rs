//! The sampler: it chooses the requests to trace among those whose callers do not decide.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use xxhash_rust::xxh3::xxh3_64;

/// Chooses a fixed ratio of all requests, pseudo-randomly.
pub struct TraceSampler {
    /// The ratio of traced requests, from 0 to 1, as the bits of an `f64`.
    ratio: AtomicU64,
    /// The number of requests so far.
    count: AtomicU64,
}

impl TraceSampler {
    /// Creates a sampler that chooses this ratio of requests.
    pub fn new(ratio: f64) -> Self {
        Self { ratio: AtomicU64::new(ratio.to_bits()), count: AtomicU64::new(0) }
    }

    /// Changes the ratio.
    pub fn set(&self, ratio: f64) {
        self.ratio.store(ratio.to_bits(), Relaxed);
    }

    /// Returns true if the next request is to be traced.
    #[expect(clippy::cast_precision_loss, reason = "the 52 bits that are left fit")]
    pub fn next(&self) -> bool {
        // A hash of the number, because every n-th request may be of the same kind.
        let value = (xxh3_64(&self.count.fetch_add(1, Relaxed).to_le_bytes()) >> 12) as f64 / (1_u64 << 52) as f64;
        value < f64::from_bits(self.ratio.load(Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sampled(ratio: f64) -> usize {
        let sampler = TraceSampler::new(ratio);
        (0..10_000).filter(|_| sampler.next()).count()
    }

    #[test]
    fn the_ratio_of_sampled_requests_is_the_configured_one() {
        assert_eq!((sampled(0.0), sampled(1.0)), (0, 10_000));
        assert!((900..1_100).contains(&sampled(0.1)), "{}", sampled(0.1));
    }
}
