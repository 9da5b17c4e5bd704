//! The bounded queue of spans that have ended. A span that finds it full is dropped, so that a request never waits.

use crate::telemetry::metrics::{Counters, SpanOutcome};
use opentelemetry::Context;
use opentelemetry_sdk::{
    error::OTelSdkResult,
    trace::{Span, SpanData, SpanProcessor},
};
use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};

/// Maximum number of spans in the queue; each takes about a kilobyte.
const QUEUE_SPANS_MAX: usize = 8192;
/// Maximum time for which the end of the process waits for the export of the last spans.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(2);

/// The sending end of the queue, which requests put their spans into.
#[derive(Clone)]
pub struct SpanQueue {
    /// The sending end of the channel.
    spans: mpsc::Sender<QueueItem>,
    /// Spans by outcome.
    counts: Arc<Counters<SpanOutcome>>,
    /// True once the log has said that spans are dropped.
    drop_logged: Arc<AtomicBool>,
}

/// An item in the queue.
pub enum QueueItem {
    /// A span that has ended.
    Span(Box<SpanData>),
    /// A request to export all spans before it and then to reply.
    Flush(oneshot::Sender<()>),
}

impl fmt::Debug for SpanQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SpanQueue")
    }
}

impl SpanProcessor for SpanQueue {
    fn on_start(&self, _: &mut Span, _: &Context) {}

    fn on_end(&self, span: SpanData) {
        if self.spans.try_send(QueueItem::Span(Box::new(span))).is_err() {
            self.counts.count(SpanOutcome::Dropped);
            if !self.drop_logged.swap(true, Relaxed) {
                let queue_spans_max = QUEUE_SPANS_MAX;
                tracing::warn!(queue_spans_max, "spans of traces are dropped: the queue to the collector is full");
            }
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
}

impl SpanQueue {
    /// Creates a queue; its receiving end is that of the export task.
    pub fn new(counts: &Arc<Counters<SpanOutcome>>) -> (Self, mpsc::Receiver<QueueItem>) {
        let (sender, receiver) = mpsc::channel(QUEUE_SPANS_MAX);
        (Self { spans: sender, counts: Arc::clone(counts), drop_logged: Arc::default() }, receiver)
    }

    /// Waits until all spans in the queue are exported, at most for [`FLUSH_TIMEOUT`].
    pub async fn flush(&self) {
        let (done, is_done) = oneshot::channel();
        let flushed = async {
            let sent = self.spans.send(QueueItem::Flush(done)).await;
            sent.is_ok() && is_done.await.is_ok()
        };
        if !timeout(FLUSH_TIMEOUT, flushed).await.unwrap_or(false) {
            tracing::warn!("the last spans of traces were not exported within {} s", FLUSH_TIMEOUT.as_secs());
        }
    }
}
