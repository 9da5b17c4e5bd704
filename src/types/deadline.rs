//! The deadline of a request.

use std::time::Duration;
use tokio::time::Instant;

/// The time by which a request must be answered. No wait on behalf of the request lasts longer.
#[derive(Clone, Copy, Debug)]
pub struct Deadline(Instant);

impl Deadline {
    /// Returns the deadline that is `budget` from now.
    pub fn within(budget: Duration) -> Self {
        Self(Instant::now() + budget)
    }

    /// Returns the deadline of one attempt: the earlier of this deadline and `budget` from now.
    pub fn attempt(self, budget: Duration) -> Self {
        Self(self.0.min(Instant::now() + budget))
    }

    /// Returns the point in time.
    pub fn instant(self) -> Instant {
        self.0
    }

    /// Returns true if the deadline has passed.
    pub fn has_passed(self) -> bool {
        Instant::now() >= self.0
    }
}
