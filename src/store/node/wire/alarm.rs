//! One timer for all calls of a stream: few of them are ever late, and to set a timer for each is not free.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};
use tokio::time::{Instant, Sleep, sleep_until};

/// A timer for the earliest of many times. Most of them are of no interest any more when it goes off, so it goes off about as
/// often as a call may take, and not once for each call.
#[derive(Default)]
pub struct Alarm {
    sleep: Option<Pin<Box<Sleep>>>,
    /// The time at which the alarm goes off; `None` while it is not set.
    due: Option<Instant>,
}

impl Alarm {
    /// Makes the alarm go off at this time, unless it does before.
    pub fn set(&mut self, at: Instant) {
        if self.due.is_some_and(|due| due <= at) {
            return;
        }
        self.due = Some(at);
        match &mut self.sleep {
            Some(sleep) => sleep.as_mut().reset(at),
            None => self.sleep = Some(Box::pin(sleep_until(at))),
        }
    }

    /// Waits until the alarm goes off, and returns the time. Then it is not set any more. Never ends while it is not set.
    pub fn poll(&mut self, context: &mut Context<'_>) -> Poll<Instant> {
        let (Some(sleep), Some(due)) = (&mut self.sleep, self.due) else { return Poll::Pending };
        ready!(sleep.as_mut().poll(context));
        self.due = None;
        // The timer may be late, and everything that is due meanwhile is served together.
        Poll::Ready(due.max(Instant::now()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{future::poll_fn, time::Duration};
    use tokio::time::timeout;

    async fn goes_off(alarm: &mut Alarm) -> Instant {
        poll_fn(|context| alarm.poll(context)).await
    }

    #[tokio::test(start_paused = true)]
    async fn the_alarm_goes_off_once_at_the_earliest_time() {
        let (mut alarm, start) = (Alarm::default(), Instant::now());
        let after = |millis| start + Duration::from_millis(millis);
        let never = timeout(Duration::from_secs(1), goes_off(&mut alarm)).await;
        assert!(never.is_err(), "it is not set");
        for at in [1500, 1200, 1900] {
            alarm.set(after(at));
        }
        assert_eq!(goes_off(&mut alarm).await, after(1200));
        assert!(timeout(Duration::from_secs(9), goes_off(&mut alarm)).await.is_err(), "it was set for one time");
        alarm.set(after(20_000));
        assert_eq!(goes_off(&mut alarm).await, after(20_000));
    }
}
