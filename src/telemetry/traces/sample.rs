//! Which requests are traced, where their callers do not decide.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use xxhash_rust::xxh3::xxh3_64;

/// A share of all requests, spread as by chance.
pub struct TraceSampler {
    /// From 0 to 1, as the bits of an `f64`.
    ratio: AtomicU64,
    count: AtomicU64,
}

impl TraceSampler {
    pub fn new(ratio: f64) -> Self {
        Self { ratio: AtomicU64::new(ratio.to_bits()), count: AtomicU64::new(0) }
    }

    pub fn set(&self, ratio: f64) {
        self.ratio.store(ratio.to_bits(), Relaxed);
    }

    /// Whether the next request is traced.
    #[expect(clippy::cast_precision_loss, reason = "the 52 bits that are left fit")]
    pub fn next(&self) -> bool {
        // A hash, because requests that come in turns must not meet a turn of ours.
        let chance = (xxh3_64(&self.count.fetch_add(1, Relaxed).to_le_bytes()) >> 12) as f64 / (1_u64 << 52) as f64;
        chance < f64::from_bits(self.ratio.load(Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_is_kept() {
        let taken = |ratio: f64| {
            let sample = TraceSampler::new(ratio);
            (0..10_000).filter(|_| sample.next()).count()
        };
        assert_eq!((taken(0.0), taken(1.0)), (0, 10_000));
        assert!((900..1_100).contains(&taken(0.1)), "{}", taken(0.1));
    }
}
