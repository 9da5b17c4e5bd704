//! The pace of a sweep.

use std::time::Duration;
use tokio::time::{Interval, MissedTickBehavior, interval};

/// Steps per second, as far as the other limit allows.
const STEPS_PER_SECOND: u32 = 10;
/// Keys that Redis examines in one step. It answers nobody else meanwhile, which takes a fraction of a millisecond.
const KEYS_PER_STEP_MAX: u32 = 1000;

/// The number of keys that each step examines, and the times at which steps begin.
pub struct Pace {
    steps: Interval,
    keys_per_step: u32,
}

impl Pace {
    /// Creates the pace of at most `keys_per_second`.
    ///
    /// # Panics
    /// Panics for zero keys.
    pub fn new(keys_per_second: u32) -> Self {
        let keys_per_step = (keys_per_second / STEPS_PER_SECOND).clamp(1, KEYS_PER_STEP_MAX);
        let mut steps = interval(Duration::from_secs(1) * keys_per_step / keys_per_second);
        // After a slow step, the next ones are not made up for.
        steps.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { steps, keys_per_step }
    }

    /// Waits until the next step may begin. Returns the number of keys that it may examine.
    pub async fn next_step(&mut self) -> u32 {
        self.steps.tick().await;
        self.keys_per_step
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::{Instant, sleep};

    /// Returns the number of keys that are examined within ten seconds.
    async fn keys_in_ten_seconds(keys_per_second: u32, step: Duration) -> u32 {
        let (mut pace, start) = (Pace::new(keys_per_second), Instant::now());
        let mut keys = 0;
        loop {
            let allowed = pace.next_step().await;
            if start.elapsed() >= Duration::from_secs(10) {
                return keys;
            }
            keys += allowed;
            sleep(step).await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_keys_are_examined_than_allowed() {
        for rate in [1, 7, 100, 2_500, 10_000] {
            assert_eq!(keys_in_ten_seconds(rate, Duration::ZERO).await, rate * 10, "{rate}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_node_is_not_asked_more_often_afterwards() {
        // Each step takes three times as long as its share of a second.
        assert_eq!(keys_in_ten_seconds(1_000, Duration::from_millis(300)).await, 3_400);
    }
}
