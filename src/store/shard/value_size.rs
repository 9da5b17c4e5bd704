//! An estimate of the size of a shard's values.

use redis::Value;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// The estimate before any value was read, in bytes.
const INITIAL_BYTES: usize = 64 * 1024;

/// An estimate of the size of a shard's values, in bytes. It rises at once and falls slowly.
pub struct ValueSizeEstimate(AtomicUsize);

impl Default for ValueSizeEstimate {
    fn default() -> Self {
        Self(AtomicUsize::new(INITIAL_BYTES))
    }
}

impl ValueSizeEstimate {
    /// Returns the estimate, in bytes.
    pub fn bytes(&self) -> usize {
        self.0.load(Relaxed)
    }

    /// Records the length of a value that was read. An update that is lost to another one costs nothing.
    pub fn record(&self, value: &Value) {
        if let Value::BulkString(bytes) = value {
            let mean = self.bytes();
            self.0.store(bytes.len().max(mean - mean / 8 + bytes.len() / 8), Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_estimate_rises_at_once_and_falls_slowly() {
        let estimate = ValueSizeEstimate::default();
        estimate.record(&Value::Nil);
        assert_eq!(estimate.bytes(), INITIAL_BYTES);
        estimate.record(&Value::BulkString(vec![0; 2 * INITIAL_BYTES]));
        assert_eq!(estimate.bytes(), 2 * INITIAL_BYTES);
        estimate.record(&Value::BulkString(Vec::new()));
        assert_eq!(estimate.bytes(), INITIAL_BYTES * 7 / 4);
    }
}
