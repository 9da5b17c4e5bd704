//! Hedged reads: a second node is asked when the first one is slow.
//!
//! A read that has waited longer than nineteen of twenty reads do is sent to a second node as well, and the first answer
//! wins. The cost is bounded: at most one read in 34 is sent twice, with a reserve for bad moments. A node that is slow
//! again and again is read after the others, see [`Node::record_lost_hedge`](crate::store::node::Node).

use std::{
    sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed},
    time::Duration,
};
use tokio::time::Instant;

/// The number of reads of which one may be sent twice.
const READS_PER_HEDGE: i64 = 34;
/// Hedged reads that can be saved up for a bad moment. They are there from the start.
const SAVED_MAX: i64 = 100;
/// The number of reads of which one is measured, so that the others read no clock and write no shared memory.
const READS_PER_SAMPLE: i64 = 16;
/// The shortest delay. What is faster needs no second read, and a shorter delay would mostly meet chance.
const DELAY_MIN: Duration = Duration::from_millis(5);
/// The longest delay, and the one before any read was measured.
const DELAY_MAX: Duration = Duration::from_millis(20);

/// The delay and the budget of a shard's hedged reads.
pub struct Hedge {
    created: Instant,
    /// The 95th percentile of the durations of reads, in microseconds: an estimate that every measured read moves a little.
    delay_us: AtomicU64,
    /// The hedged reads that are left, in parts of one.
    saved: AtomicI64,
}

impl Default for Hedge {
    fn default() -> Self {
        Self {
            created: Instant::now(),
            delay_us: AtomicU64::new(micros(DELAY_MAX)),
            saved: AtomicI64::new(SAVED_MAX * READS_PER_HEDGE),
        }
    }
}

impl Hedge {
    /// Returns the time that a read waits before it is sent to a second node.
    pub fn delay(&self) -> Duration {
        Duration::from_micros(self.delay_us.load(Relaxed)).clamp(DELAY_MIN, DELAY_MAX)
    }

    /// Returns true for one read in sixteen, by the time at which it began: that one is to be measured.
    pub fn is_sampled(&self, start: Instant) -> bool {
        // The lowest bits do not change where the clock is coarse.
        let ticks = start.saturating_duration_since(self.created).subsec_nanos() >> 6;
        i64::from(ticks) % READS_PER_SAMPLE == 0
    }

    /// Records the duration of a sampled read. An update that is lost to another one costs nothing.
    pub fn record_duration(&self, duration: Duration) {
        let delay = self.delay_us.load(Relaxed);
        let step = delay / 64 + 1;
        // The estimate stays where it is when one of twenty reads is slower.
        let moved = if micros(duration) > delay { delay + step } else { delay - step.div_ceil(19) };
        let moved = moved.clamp(micros(DELAY_MIN), micros(DELAY_MAX));
        // Mostly it stays at one of its limits, and then no memory is written that all workers read.
        if moved != delay {
            self.delay_us.store(moved, Relaxed);
        }
        if self.saved.load(Relaxed) < SAVED_MAX * READS_PER_HEDGE {
            self.saved.fetch_add(READS_PER_SAMPLE, Relaxed);
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
    fn the_delay_settles_at_the_95th_percentile_within_its_limits() {
        for (duration_ms_max, expected_ms) in [(12, 11..=12), (100, 20..=20), (1, 5..=5)] {
            let hedge = Hedge::default();
            // Durations up to the maximum, in an order that is far from sorted.
            for number in 0..200_000_u64 {
                hedge.record_duration(Duration::from_micros(1 + number * 37_003 % (duration_ms_max * 1000)));
            }
            let delay = hedge.delay().as_millis();
            assert!(expected_ms.contains(&delay), "{delay} ms for durations up to {duration_ms_max} ms");
        }
    }

    #[test]
    fn one_read_in_34_may_be_hedged() {
        let hedge = Hedge::default();
        let spend_all = || std::iter::repeat_with(|| hedge.try_spend()).take_while(|spent| *spent).count();
        assert_eq!(spend_all(), 100);
        let measured = 10_000;
        let mut hedged = 0;
        for _ in 0..measured {
            hedge.record_duration(Duration::from_millis(1));
            hedged += spend_all();
        }
        // Each measured read stands for sixteen.
        assert_eq!(hedged, measured * 16 / 34);
        for _ in 0..measured {
            hedge.record_duration(Duration::from_millis(1));
        }
        assert_eq!(spend_all(), 100);
    }

    #[tokio::test(start_paused = true)]
    async fn one_read_in_sixteen_is_sampled() {
        let hedge = Hedge::default();
        let mut sampled = 0;
        for _ in 0..16_000 {
            tokio::time::advance(Duration::from_millis(1)).await;
            sampled += usize::from(hedge.is_sampled(Instant::now()));
        }
        assert!((900..=1100).contains(&sampled), "{sampled} of 16,000");
    }
}
