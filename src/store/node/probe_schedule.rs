//! The times at which a node is probed.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{
    sync::Notify,
    time::{Instant, timeout_at},
};

/// The shortest time between two probes that were asked for.
const REQUESTED_INTERVAL: Duration = Duration::from_millis(5);
/// The interval of probes while a promotion is expected, over all connections of the node together.
const EXPECTANT_INTERVAL: Duration = Duration::from_millis(25);
/// The longest time for which probes are made at that interval.
const EXPECTANT_MAX: Duration = Duration::from_secs(30);

/// The time within which a switch of masters is over, mostly.
const SWITCH_MAX: Duration = Duration::from_secs(5);

/// The times at which a node is probed.
pub struct ProbeSchedule {
    interval: Duration,
    /// The request for a probe before the interval is over.
    request: Mutex<ProbeRequest>,
    /// Notified when a probe was asked for.
    requested: Notify,
    /// The expected promotion; `None` while the shard has a master.
    promotion: Mutex<Option<ExpectedPromotion>>,
}

/// The request for a probe before the interval is over.
#[derive(Default)]
struct ProbeRequest {
    /// The time at which the probe may be made; `None` if none is asked for.
    due: Option<Instant>,
    /// The time of the last probe that was asked for; `None` before the first one.
    last: Option<Instant>,
}

impl ProbeRequest {
    /// Asks for a probe. One that is asked for already serves this request as well.
    fn make(&mut self) {
        let now = Instant::now();
        self.due.get_or_insert_with(|| self.last.map_or(now, |last| now.max(last + REQUESTED_INTERVAL)));
    }

    /// Takes the request if the probe may be made now. Otherwise returns the time at which it may be made, if one is asked
    /// for.
    fn take(&mut self) -> Result<(), Option<Instant>> {
        let now = Instant::now();
        self.due.take_if(|due| *due <= now).ok_or(self.due)?;
        self.last = Some(now);
        Ok(())
    }
}

/// A promotion that is expected because the shard has lost its master.
#[derive(Clone, Copy)]
struct ExpectedPromotion {
    since: Instant,
    /// The time of the last probe that was made because of it.
    last_probe: Instant,
}

impl ProbeSchedule {
    /// Schedules a probe for every `interval`.
    pub fn new(interval: Duration) -> Self {
        Self { interval, request: Mutex::default(), requested: Notify::new(), promotion: Mutex::default() }
    }

    /// Asks for a probe at once, or [`REQUESTED_INTERVAL`] after the last one that was asked for.
    pub fn request(&self) {
        lock(&self.request).make();
        self.requested.notify_one();
    }

    /// Records if a promotion is expected: the node is then probed at once, and more often for a while.
    pub fn set_promotion_expected(&self, expected: bool) {
        let mut promotion = self.promotion();
        if expected && promotion.is_none() {
            let now = Instant::now();
            *promotion = Some(ExpectedPromotion { since: now, last_probe: now });
            self.request();
        } else if !expected {
            *promotion = None;
        }
    }

    /// Returns true if a promotion is expected, and has not been for long: requests wait for it.
    pub fn is_promotion_near(&self) -> bool {
        self.promotion().is_some_and(|promotion| promotion.since.elapsed() < SWITCH_MAX)
    }

    /// Waits until the next probe over a connection is due or asked for.
    pub async fn next(&self) {
        let due = Instant::now() + self.interval;
        loop {
            let requested = match lock(&self.request).take() {
                Ok(()) => return,
                Err(due) => due,
            };
            let is_expected = self.promotion().is_some_and(|promotion| promotion.since.elapsed() < EXPECTANT_MAX);
            let until = if is_expected { due.min(Instant::now() + EXPECTANT_INTERVAL) } else { due };
            let until_requested = requested.map_or(until, |requested| requested.min(until));
            let is_requested = timeout_at(until_requested, self.requested.notified()).await.is_ok();
            if !is_requested && until_requested == until && (until == due || self.take_turn()) {
                return;
            }
        }
    }

    /// Returns true if the connection is to make the next probe for an expected promotion.
    fn take_turn(&self) -> bool {
        let now = Instant::now();
        self.promotion().as_mut().is_some_and(|promotion| {
            let is_due = now >= promotion.last_probe + EXPECTANT_INTERVAL;
            if is_due {
                promotion.last_probe = now;
            }
            is_due
        })
    }

    fn promotion(&self) -> MutexGuard<'_, Option<ExpectedPromotion>> {
        lock(&self.promotion)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;
    use tokio::time::advance;

    const INTERVAL: Duration = Duration::from_secs(60);

    #[tokio::test(start_paused = true)]
    async fn a_requested_probe_is_due_at_once() {
        let schedule = ProbeSchedule::new(INTERVAL);
        assert!(schedule.next().now_or_never().is_none());
        schedule.request();
        assert!(schedule.next().now_or_never().is_some());
        assert!(schedule.next().now_or_never().is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn requests_of_one_moment_share_a_probe_and_later_ones_wait_a_little() {
        let schedule = ProbeSchedule::new(INTERVAL);
        let (start, mut probes) = (Instant::now(), 0);
        while start.elapsed() < REQUESTED_INTERVAL * 10 {
            schedule.request();
            if schedule.next().now_or_never().is_some() {
                probes += 1;
            }
            advance(REQUESTED_INTERVAL / 10).await;
        }
        assert!((9..=11).contains(&probes), "{probes} probes");
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_right_after_a_probe_is_not_lost() {
        let schedule = ProbeSchedule::new(INTERVAL);
        let start = Instant::now();
        schedule.request();
        schedule.next().await;
        schedule.request();
        schedule.next().await;
        assert_eq!(start.elapsed(), REQUESTED_INTERVAL);
    }

    #[tokio::test(start_paused = true)]
    async fn an_expected_promotion_is_looked_for_often_but_not_for_ever() {
        let schedule = ProbeSchedule::new(INTERVAL);
        schedule.set_promotion_expected(true);
        let start = Instant::now();
        schedule.next().await;
        assert_eq!(start.elapsed(), Duration::ZERO);
        schedule.next().await;
        assert!(start.elapsed() < EXPECTANT_INTERVAL * 2);
        advance(EXPECTANT_MAX).await;
        schedule.set_promotion_expected(true);
        let late = Instant::now();
        schedule.next().await;
        assert_eq!(late.elapsed(), INTERVAL);
    }

    #[tokio::test(start_paused = true)]
    async fn the_connections_of_a_node_share_the_probes_for_an_expected_promotion() {
        let schedule = ProbeSchedule::new(INTERVAL);
        schedule.set_promotion_expected(true);
        let start = Instant::now();
        let probes = std::cell::Cell::new(0);
        let connections = (0..8).map(async |_| {
            while start.elapsed() < EXPECTANT_INTERVAL * 20 {
                schedule.next().await;
                probes.set(probes.get() + 1);
            }
        });
        let enough = tokio::time::timeout(EXPECTANT_INTERVAL * 20, futures_util::future::join_all(connections)).await;
        assert!(enough.is_err() || start.elapsed() >= EXPECTANT_INTERVAL * 20);
        assert!((10..=21).contains(&probes.get()), "{} probes", probes.get());
    }
}
