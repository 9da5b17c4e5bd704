//! Hedged reads: a second node is asked when the first one is slow.
//!
//! A read that has waited longer than nineteen of twenty reads do is sent to a second node as well, and the first answer
//! wins. The cost is bounded: at most one read in twenty is sent twice, with a small reserve for bad moments.

use std::{
    sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed},
    time::Duration,
};

/// The number of reads of which one may be sent twice.
const READS_PER_HEDGE: i64 = 20;
/// Hedged reads that can be saved up for a bad moment.
const SAVED_MAX: i64 = 10;
/// The resolution of the timer, to which a shorter delay would be rounded up.
const DELAY_MIN: Duration = Duration::from_millis(1);
/// The delay before any read was measured.
const INITIAL_DELAY: Duration = Duration::from_millis(20);

/// The delay and the budget of a shard's hedged reads.
pub struct Hedge {
    /// The 95th percentile of the durations of reads, in microseconds: an estimate that every read moves a little.
    delay_us: AtomicU64,
    /// The hedged reads that are left, in twentieths of one.
    saved: AtomicI64,
}

impl Default for Hedge {
    fn default() -> Self {
        Self { delay_us: AtomicU64::new(micros(INITIAL_DELAY)), saved: AtomicI64::new(0) }
    }
}

impl Hedge {
    /// Returns the time that a read waits before it is sent to a second node.
    pub fn delay(&self) -> Duration {
        Duration::from_micros(self.delay_us.load(Relaxed)).max(DELAY_MIN)
    }

    /// Records the duration of a read. An update that is lost to another one costs nothing.
    pub fn record_duration(&self, duration: Duration) {
        let delay = self.delay_us.load(Relaxed);
        let step = delay / 64 + 1;
        // The estimate stays where it is when one of twenty reads is slower.
        let moved =
            if micros(duration) > delay { delay + step } else { delay.saturating_sub(step.div_ceil(19)).max(1) };
        self.delay_us.store(moved, Relaxed);
        if self.saved.load(Relaxed) < SAVED_MAX * READS_PER_HEDGE {
            self.saved.fetch_add(1, Relaxed);
        }
    }

    /// Takes one hedged read from the budget. Returns false if none is left.
    pub fn try_spend(&self) -> bool {
        let enough = self.saved.fetch_sub(READS_PER_HEDGE, Relaxed) >= READS_PER_HEDGE;
        if !enough {
            self.saved.fetch_add(READS_PER_HEDGE, Relaxed);
        }
        enough
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_delay_settles_at_the_95th_percentile() {
        let hedge = Hedge::default();
        // Durations of 1 to 100 ms, in an order that is far from sorted.
        for number in 0..200_000_u64 {
            hedge.record_duration(Duration::from_millis(1 + number * 37 % 100));
        }
        let delay = hedge.delay().as_millis();
        assert!((88..=100).contains(&delay), "{delay} ms");
    }

    #[test]
    fn one_read_in_twenty_may_be_hedged() {
        let hedge = Hedge::default();
        assert!(!hedge.try_spend());
        let mut hedged = 0;
        for _ in 0..10_000 {
            hedge.record_duration(Duration::from_millis(1));
            hedged += usize::from(hedge.try_spend());
        }
        assert_eq!(hedged, 500);
        for _ in 0..10_000 {
            hedge.record_duration(Duration::from_millis(1));
        }
        assert_eq!((0..100).filter(|_| hedge.try_spend()).count(), 10);
    }
}
