//! The limit on the commands per second that the inspection sends.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::time::{Instant, sleep_until};

/// The number of commands that may be sent at once after a quiet time.
const BURST: u32 = 5;

/// A limit on commands per second.
pub struct CallBudget {
    per_second: AtomicU32,
    /// The time at which the next command may be sent.
    next: Mutex<Instant>,
}

impl CallBudget {
    /// Creates a limit.
    pub fn new(per_second: u32) -> Self {
        Self { per_second: AtomicU32::new(per_second), next: Mutex::new(Instant::now()) }
    }

    /// Changes the limit.
    pub fn set_per_second(&self, per_second: u32) {
        self.per_second.store(per_second, Relaxed);
    }

    /// Waits until one more command may be sent.
    pub async fn acquire(&self) {
        let interval = Duration::from_secs(1) / self.per_second.load(Relaxed).max(1);
        let turn = {
            let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
            let earliest = Instant::now().checked_sub(interval * BURST).unwrap_or(*next);
            let turn = (*next).max(earliest);
            *next = turn + interval;
            turn
        };
        sleep_until(turn).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn no_more_commands_are_sent_than_the_limit_allows() {
        let (budget, start) = (CallBudget::new(50), Instant::now());
        for _ in 0..100 {
            budget.acquire().await;
        }
        let took = start.elapsed();
        assert!(took >= Duration::from_millis(1850) && took <= Duration::from_secs(2), "{took:?}");
        tokio::time::sleep(Duration::from_secs(60)).await;
        let start = Instant::now();
        for _ in 0..=BURST {
            budget.acquire().await;
        }
        assert!(start.elapsed() < Duration::from_millis(2), "a quiet time allows a burst");
        budget.acquire().await;
        assert!(start.elapsed() >= Duration::from_millis(19), "the burst is limited");
    }
}
