//! The time of this process.

use std::time::Duration;
use tokio::time::Instant;

/// A point in the time of this process, in milliseconds. Zero is before everything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct LogicalTime(u64);

impl LogicalTime {
    /// The time before everything.
    pub const ZERO: Self = Self(0);

    /// Creates the time that is `ms` milliseconds after zero.
    pub fn from_ms(ms: u64) -> Self {
        Self(ms)
    }

    /// Returns the milliseconds since zero.
    pub fn ms(self) -> u64 {
        self.0
    }

    /// Returns the time that has passed since an earlier time.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }

    /// Returns the time that is `ms` milliseconds later.
    pub fn plus_ms(self, ms: u64) -> Self {
        Self(self.0 + ms)
    }
}

/// The clock of this process.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Instant,
}

impl Default for Clock {
    fn default() -> Self {
        Self { start: Instant::now() }
    }
}

impl Clock {
    /// Returns the current time, rounded down: everything acknowledged until then has happened.
    pub fn now(self) -> LogicalTime {
        LogicalTime(u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX))
    }
}
