//! The time of the last sign of life of a node, as one connection sees it.

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};
use tokio::time::Instant;

/// The time at which the node last gave a sign of life: a value that arrived, a piece of a long one, or the first call after
/// all others had been answered.
pub struct LifeSigns {
    opened: Instant,
    /// The time in milliseconds since `opened`.
    last_ms: AtomicU64,
}

impl Default for LifeSigns {
    fn default() -> Self {
        Self { opened: Instant::now(), last_ms: AtomicU64::new(0) }
    }
}

impl LifeSigns {
    /// Records a sign of life.
    pub fn record(&self) {
        self.last_ms.store(u64::try_from(self.age().as_millis()).unwrap_or(u64::MAX), Relaxed);
    }

    /// Returns the time since the last sign of life.
    pub fn silence(&self) -> Duration {
        self.age().saturating_sub(Duration::from_millis(self.last_ms.load(Relaxed)))
    }

    /// Returns the time since the connection was opened.
    pub fn age(&self) -> Duration {
        self.opened.elapsed()
    }
}
