//! An estimate of the size of values.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// The smallest estimate, in bytes.
const BYTES_MIN: usize = 1024;

/// An estimate of the size of values, in bytes. It rises at once and falls slowly.
pub struct ValueSizeEstimate(AtomicUsize);

impl ValueSizeEstimate {
    /// Starts with this estimate, in bytes.
    pub fn new(bytes: usize) -> Self {
        Self(AtomicUsize::new(bytes))
    }

    /// Returns the estimate, in bytes.
    pub fn bytes(&self) -> usize {
        self.0.load(Relaxed)
    }

    /// Records the length of a value that was read. An update that is lost to another one costs nothing.
    pub fn record(&self, bytes: usize) {
        let mean = self.bytes();
        let next = bytes.max(mean - mean / 8 + bytes / 8).max(BYTES_MIN);
        // Small changes are not worth a write to memory that all workers share.
        if next.abs_diff(mean) > mean / 16 {
            self.0.store(next, Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_estimate_rises_at_once_and_falls_slowly() {
        let estimate = ValueSizeEstimate::new(64 * 1024);
        estimate.record(128 * 1024);
        assert_eq!(estimate.bytes(), 128 * 1024);
        estimate.record(0);
        assert_eq!(estimate.bytes(), 112 * 1024);
        for _ in 0..100 {
            estimate.record(10);
        }
        assert!((BYTES_MIN..BYTES_MIN * 9 / 8).contains(&estimate.bytes()), "{}", estimate.bytes());
    }
}
