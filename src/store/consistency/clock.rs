//! This process's time.

use tokio::time::Instant;

/// A point in this process's time, in milliseconds; 0 is before everything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct LogicalTime(u64);

impl LogicalTime {
    pub const ZERO: Self = Self(0);

    pub fn from_ms(ms: u64) -> Self {
        Self(ms)
    }

    pub fn ms(self) -> u64 {
        self.0
    }
}

/// Tells moments.
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
    /// A moment at or before now: what was acknowledged until then has happened.
    pub fn now(self) -> LogicalTime {
        LogicalTime(u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX))
    }
}
