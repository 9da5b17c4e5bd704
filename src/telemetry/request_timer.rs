//! The measurement of one request: its duration for the metrics, and its outcome for metrics and traces.

use super::{
    metrics::{Kind, Outcome, RequestMetrics},
    traces,
};
use std::{thread, time::Instant};
use tracing::Span;

/// The timer of a request in progress. On drop it records the duration with the kind and outcome set by then.
pub struct RequestTimer<'m> {
    requests: &'m RequestMetrics,
    /// Time at which the head of the request was complete.
    start: Instant,
    /// The span of the request; a disabled one if the request is not traced.
    span: Span,
    /// The kind of the request, as far as it is known.
    pub kind: Kind,
    /// The outcome. It starts as `Cancelled`: that is what remains if the caller goes away.
    pub outcome: Outcome,
}

impl Drop for RequestTimer<'_> {
    fn drop(&mut self) {
        if self.outcome == Outcome::Cancelled && thread::panicking() {
            self.outcome = Outcome::InternalError;
        }
        self.requests.observe(self.kind, self.outcome, self.start.elapsed());
        if self.kind.command() != "none" {
            self.span.record("command", self.kind.command());
        }
        traces::end_with(&self.span, self.outcome);
    }
}

impl RequestMetrics {
    /// Starts the timer of a request.
    pub fn start(&self, kind: Kind) -> RequestTimer<'_> {
        self.start_at(Instant::now(), kind)
    }

    /// Returns the timer of a request of this kind, unless the timer is told otherwise, that began at this time.
    pub fn start_at(&self, start: Instant, kind: Kind) -> RequestTimer<'_> {
        RequestTimer { requests: self, start, span: traces::current(), kind, outcome: Outcome::Cancelled }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_recorded_with_the_kind_and_outcome_known_at_its_end() {
        let requests = RequestMetrics::default();
        let mut timer = requests.start(Kind::Unparsed);
        (timer.kind, timer.outcome) = (Kind::Read, Outcome::NotFound);
        drop(timer);
        drop(requests.start(Kind::Unparsed));
        assert_eq!(requests.duration(Kind::Read, Outcome::NotFound).count(), 1);
        assert_eq!(requests.duration(Kind::Unparsed, Outcome::Cancelled).count(), 1);
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let _timer = requests.start(Kind::Write);
            panic!("a defect for the test");
        }));
        assert!(panicked.is_err());
        assert_eq!(requests.duration(Kind::Write, Outcome::InternalError).count(), 1);
    }
}
