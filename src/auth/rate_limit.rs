//! The rate limit of a client: the commands that it may send per second.

use governor::{
    DefaultDirectRateLimiter, Quota,
    clock::{Clock, DefaultClock},
};
use std::{num::NonZeroU32, sync::Arc, time::Duration};

/// The rate limiter of a client, and the limit that it was created for. A clone counts the same commands.
#[derive(Clone)]
pub struct RateLimiter {
    commands_per_second: NonZeroU32,
    state: Arc<DefaultDirectRateLimiter>,
}

impl RateLimiter {
    /// Creates a rate limiter that has counted no command. It takes over the count of `before`, if that has the same limit.
    pub fn new(commands_per_second: NonZeroU32, before: Option<&Self>) -> Self {
        if let Some(before) = before.filter(|before| before.commands_per_second == commands_per_second) {
            return before.clone();
        }
        let state = Arc::new(DefaultDirectRateLimiter::direct(Quota::per_second(commands_per_second)));
        Self { commands_per_second, state }
    }

    /// Counts one command. Returns the time until the next command is permitted if the limit is reached.
    pub fn count_command(&self) -> Result<(), Duration> {
        self.state.check().map_err(|until| until.wait_time_from(DefaultClock::default().now()))
    }
}
