//! The moment by which a request must have its answer.

use std::time::Duration;
use tokio::time::Instant;

/// An absolute point in time; whoever waits on a request's behalf waits no longer than this.
#[derive(Clone, Copy, Debug)]
pub struct Deadline(Instant);

impl Deadline {
    /// The deadline that lies `budget` from now.
    pub fn within(budget: Duration) -> Self {
        Self(Instant::now() + budget)
    }

    /// The earlier of this deadline and `budget` from now: the limit of one attempt out of several.
    pub fn attempt(self, budget: Duration) -> Self {
        Self(self.0.min(Instant::now() + budget))
    }

    pub fn instant(self) -> Instant {
        self.0
    }

    pub fn has_passed(self) -> bool {
        Instant::now() >= self.0
    }
}
