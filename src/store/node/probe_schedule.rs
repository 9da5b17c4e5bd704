//! The times at which a node is probed.

use std::time::Duration;
use tokio::{sync::Notify, time::timeout};

/// The times at which a node is probed.
pub struct ProbeSchedule {
    interval: Duration,
    /// Notified when a probe is to be made before the interval is over.
    requested: Notify,
}

impl ProbeSchedule {
    /// Schedules a probe for every `interval`.
    pub fn new(interval: Duration) -> Self {
        Self { interval, requested: Notify::new() }
    }

    /// Asks for a probe at once.
    pub fn request(&self) {
        self.requested.notify_one();
    }

    /// Waits until the next probe is due or asked for.
    pub async fn next(&self) {
        let _due_or_requested = timeout(self.interval, self.requested.notified()).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    #[tokio::test]
    async fn a_requested_probe_is_due_at_once() {
        let schedule = ProbeSchedule::new(Duration::from_secs(5));
        assert!(schedule.next().now_or_never().is_none());
        schedule.request();
        assert!(schedule.next().now_or_never().is_some());
        assert!(schedule.next().now_or_never().is_none());
    }
}
