//! A second replica for reads that take long.
//!
//! A read that has waited longer than nineteen of twenty do is sent to a second node as well, and the first answer
//! wins. What that costs is bounded: at most one read in twenty is sent twice, with a little saved up.

use std::{
    sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed},
    time::Duration,
};

/// One read in so many may be sent twice.
const READS_PER_HEDGE: i64 = 20;
/// Second reads that can be saved up for a bad moment.
const SAVED_MAX: i64 = 10;
/// The timer's grain; a wait below it would be rounded up anyhow.
const WAIT_MIN: Duration = Duration::from_millis(1);
/// Before reads have shown how long they take.
const WAIT_AT_FIRST: Duration = Duration::from_millis(20);

/// How long reads of a shard take, and how many may be sent twice.
pub struct Hedge {
    /// The time that nineteen of twenty reads stay below, in microseconds: an estimate that every read moves a little.
    wait_us: AtomicU64,
    /// In twentieths of a second read.
    saved: AtomicI64,
}

impl Default for Hedge {
    fn default() -> Self {
        Self { wait_us: AtomicU64::new(micros(WAIT_AT_FIRST)), saved: AtomicI64::new(0) }
    }
}

impl Hedge {
    /// How long a read waits before a second one is sent.
    pub fn delay(&self) -> Duration {
        Duration::from_micros(self.wait_us.load(Relaxed)).max(WAIT_MIN)
    }

    /// Notes how long a read took. An update that is lost to another one costs nothing.
    pub fn record_duration(&self, took: Duration) {
        let wait = self.wait_us.load(Relaxed);
        let step = wait / 64 + 1;
        // In balance when one of twenty reads is above.
        let moved = if micros(took) > wait { wait + step } else { wait.saturating_sub(step.div_ceil(19)).max(1) };
        self.wait_us.store(moved, Relaxed);
        if self.saved.load(Relaxed) < SAVED_MAX * READS_PER_HEDGE {
            self.saved.fetch_add(1, Relaxed);
        }
    }

    /// Takes leave to send a second read, if there is any left.
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
    fn the_wait_settles_above_nineteen_of_twenty_reads() {
        let hedge = Hedge::default();
        // 1 to 100 ms, in an order that is far from sorted.
        for number in 0..200_000_u64 {
            hedge.record_duration(Duration::from_millis(1 + number * 37 % 100));
        }
        let wait = hedge.delay().as_millis();
        assert!((88..=100).contains(&wait), "{wait} ms");
    }

    #[test]
    fn one_read_in_twenty_may_be_sent_twice() {
        let hedge = Hedge::default();
        assert!(!hedge.try_spend());
        let mut taken = 0;
        for _ in 0..10_000 {
            hedge.record_duration(Duration::from_millis(1));
            taken += usize::from(hedge.try_spend());
        }
        assert_eq!(taken, 500);
        for _ in 0..10_000 {
            hedge.record_duration(Duration::from_millis(1));
        }
        assert_eq!((0..100).filter(|_| hedge.try_spend()).count(), 10);
    }
}
