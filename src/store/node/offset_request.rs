//! The request for the offset that a node has reached: changes make it, and a connection takes it.

use std::{
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    time::Duration,
};
use tokio::{sync::Notify, time::sleep};

/// Time for which changes are collected that share one question.
const COLLECT_TIME: Duration = Duration::from_millis(8);
/// Time between the last of these changes and the question. The time of a change is rounded up to a millisecond, and that
/// of the question is rounded down.
const SETTLE_TIME: Duration = Duration::from_millis(2);

/// The request for the offset that a node has reached.
#[derive(Default)]
pub struct OffsetRequest {
    /// A question will be sent that covers all changes until now.
    is_made: AtomicBool,
    made: Notify,
}

impl OffsetRequest {
    /// Asks for the offset soon: a change was answered.
    pub fn make(&self) {
        if !self.is_made.load(Relaxed) {
            self.is_made.store(true, Relaxed);
            self.made.notify_one();
        }
    }

    /// Waits until the offset is to be asked for.
    pub async fn due(&self) {
        self.made.notified().await;
        {
            // Also taken back when the wait is dropped together with its connection.
            let _request = RequestGuard(self);
            sleep(COLLECT_TIME).await;
        }
        sleep(SETTLE_TIME).await;
    }
}

/// Takes a request back when it is dropped, so that the next change makes another one.
struct RequestGuard<'a>(&'a OffsetRequest);

impl Drop for RequestGuard<'_> {
    fn drop(&mut self) {
        self.0.is_made.store(false, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;
    use tokio::time::{Instant, timeout};

    const DUE_AFTER: Duration = COLLECT_TIME.saturating_add(SETTLE_TIME);

    #[tokio::test(start_paused = true)]
    async fn changes_of_one_moment_share_a_question() {
        let request = OffsetRequest::default();
        assert!(timeout(DUE_AFTER * 9, request.due()).await.is_err(), "nothing was changed");
        let start = Instant::now();
        request.make();
        request.make();
        request.due().await;
        assert_eq!(start.elapsed(), DUE_AFTER);
        assert!(request.due().now_or_never().is_none(), "one question covers both");
    }

    #[tokio::test(start_paused = true)]
    async fn a_change_right_before_a_question_is_covered_by_the_next_one() {
        let request = OffsetRequest::default();
        request.make();
        tokio::join!(request.due(), async {
            sleep(COLLECT_TIME + SETTLE_TIME / 2).await;
            request.make();
        });
        assert!(timeout(DUE_AFTER * 2, request.due()).await.is_ok(), "there is no next question");
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_is_not_lost_with_the_connection_that_took_it() {
        let request = OffsetRequest::default();
        request.make();
        assert!(request.due().now_or_never().is_none());
        request.make();
        assert!(timeout(DUE_AFTER * 2, request.due()).await.is_ok(), "no question is due");
    }
}
