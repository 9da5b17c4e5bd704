//! Numbers that all workers count together, without writing a cache line that another worker writes.

use crate::types::PerWorker;
use crossbeam_utils::CachePadded;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Numbers on one cache line, or on two that the processor fetches together.
const NUMBERS_PER_LINE: usize = 16;

/// Numbers that only grow. Each is the sum of the parts that the workers have counted.
pub struct Sums {
    parts: PerWorker<Box<[CachePadded<[AtomicU64; NUMBERS_PER_LINE]>]>>,
    lines: usize,
}

impl Sums {
    /// Creates this many numbers, which are 0.
    pub fn new(numbers: usize) -> Self {
        Self { parts: PerWorker::default(), lines: numbers.div_ceil(NUMBERS_PER_LINE) }
    }

    /// Adds to the numbers at some positions.
    pub fn add<const N: usize>(&self, additions: [(usize, u64); N]) {
        let part = self.parts.own(|| std::iter::repeat_with(CachePadded::default).take(self.lines).collect());
        for (number, more) in additions {
            part[number / NUMBERS_PER_LINE][number % NUMBERS_PER_LINE].fetch_add(more, Relaxed);
        }
    }

    /// Returns the number at this position.
    pub fn get(&self, number: usize) -> u64 {
        let parts = self.parts.all();
        // A sum of nanoseconds may pass the end, as one number would.
        parts.fold(0, |sum, part| {
            sum.wrapping_add(part[number / NUMBERS_PER_LINE][number % NUMBERS_PER_LINE].load(Relaxed))
        })
    }
}
