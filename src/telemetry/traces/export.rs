//! The export of spans to the collector: a bounded queue and a task that sends its contents.
//!
//! A request puts its spans into the queue or, if the queue is full, drops them. A collector that is slow, refuses spans
//! or is unreachable delays the task only, never a request.

use crate::{
    settings::CollectorConfig,
    telemetry::metrics::{Counters, SpanOutcome},
};
use opentelemetry::{Context, KeyValue};
use opentelemetry_otlp::{ExporterBuildError, SpanExporter, WithExportConfig, WithTonicConfig, tonic_types::transport};
use opentelemetry_sdk::{
    Resource,
    error::{OTelSdkError, OTelSdkResult},
    trace::{Span, SpanData, SpanExporter as _, SpanProcessor},
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
    time::{Instant, timeout, timeout_at},
};

/// Maximum number of spans in the queue; each takes about a kilobyte.
const QUEUE_SPANS_MAX: usize = 8192;
/// Maximum number of spans in one export.
const BATCH_SPANS_MAX: usize = 512;
/// Maximum time that a span waits for others to be exported with it.
const BATCH_WAIT: Duration = Duration::from_millis(500);
/// Maximum duration of one export.
const EXPORT_TIMEOUT: Duration = Duration::from_secs(5);
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
enum QueueItem {
    /// A span that has ended.
    Span(Box<SpanData>),
    /// A request to export all spans before it and then to reply.
    Flush(oneshot::Sender<()>),
}

/// A reason why spans cannot be exported.
#[derive(Debug, thiserror::Error)]
enum ExportError {
    /// The exporter could not be built from the settings.
    #[error("the exporter could not be built")]
    NoExporter,
    /// The settings of the collector are unusable.
    #[error(transparent)]
    Build(#[from] ExporterBuildError),
    /// The collector refused the spans, or is unreachable.
    #[error(transparent)]
    Refused(#[from] OTelSdkError),
    /// The collector did not reply in time.
    #[error("it did not reply within {} s", EXPORT_TIMEOUT.as_secs())]
    TimedOut,
}

/// The task at the receiving end of the queue, which exports the spans.
pub struct Export {
    /// The receiving end of the channel.
    spans: mpsc::Receiver<QueueItem>,
    /// Spans by outcome.
    counts: Arc<Counters<SpanOutcome>>,
    /// The URL of the collector.
    endpoint: String,
    /// The certificates that the collector's certificate is verified with; `None` means the usual authorities.
    ca_cert: Option<Vec<u8>>,
    /// The attributes of this process.
    resource: Resource,
    /// True if the last export failed.
    failing: bool,
}

/// Creates the queue to a collector and the task that exports from it.
pub fn queue(collector: &CollectorConfig, counts: &Arc<Counters<SpanOutcome>>) -> (SpanQueue, Export) {
    let (sender, spans) = mpsc::channel(QUEUE_SPANS_MAX);
    let resource = Resource::builder_empty()
        .with_service_name(collector.service_name.clone())
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
        .with_attribute(KeyValue::new("service.instance.id", instance()))
        .build();
    let export = Export {
        spans,
        counts: Arc::clone(counts),
        endpoint: collector.endpoint.clone(),
        ca_cert: collector.ca_cert.clone(),
        resource,
        failing: false,
    };
    (SpanQueue { spans: sender, counts: Arc::clone(counts), drop_logged: Arc::default() }, export)
}

/// Returns the id of this instance: the host name, which is the name of the pod in Kubernetes, and the process id.
fn instance() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    format!("{}:{}", host.trim(), std::process::id())
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

impl Export {
    /// Exports spans until all sending ends of the queue are dropped.
    pub async fn run(mut self) {
        let exporter = self.exporter().inspect_err(|error| {
            let endpoint = &self.endpoint;
            tracing::error!(endpoint, %error, "no span is exported: the collector {endpoint} cannot be used: {error}");
        });
        while let Some((batch, flushed)) = self.batch().await {
            self.send(exporter.as_ref().ok(), batch).await;
            if let Some(flushed) = flushed {
                // An error means that the waiting side has timed out.
                let _replied = flushed.send(());
            }
        }
    }

    /// Collects the spans of the next export, with the reply to a flush that ended the collection.
    async fn batch(&mut self) -> Option<(Vec<SpanData>, Option<oneshot::Sender<()>>)> {
        let mut batch = match self.spans.recv().await? {
            QueueItem::Span(span) => vec![*span],
            QueueItem::Flush(flushed) => return Some((Vec::new(), Some(flushed))),
        };
        let until = Instant::now() + BATCH_WAIT;
        while batch.len() < BATCH_SPANS_MAX {
            match timeout_at(until, self.spans.recv()).await {
                Ok(Some(QueueItem::Span(span))) => batch.push(*span),
                Ok(Some(QueueItem::Flush(flushed))) => return Some((batch, Some(flushed))),
                Ok(None) | Err(_) => break,
            }
        }
        Some((batch, None))
    }

    /// Exports a batch, counts its spans and logs when the export begins to fail or works again.
    async fn send(&mut self, exporter: Option<&SpanExporter>, batch: Vec<SpanData>) {
        let spans = batch.len();
        if spans == 0 {
            return;
        }
        let exported = match exporter {
            None => Err(ExportError::NoExporter),
            Some(exporter) => match timeout(EXPORT_TIMEOUT, exporter.export(batch)).await {
                Ok(exported) => exported.map_err(ExportError::from),
                Err(_) => Err(ExportError::TimedOut),
            },
        };
        let outcome = if exported.is_ok() { SpanOutcome::Sent } else { SpanOutcome::Failed };
        self.counts.get(outcome).add(spans as u64);
        let endpoint = &self.endpoint;
        match exported {
            Ok(()) if self.failing => tracing::info!(endpoint, "the collector {endpoint} accepts spans again"),
            Err(error) if !self.failing => {
                tracing::warn!(endpoint, %error, "the export of spans to {endpoint} failed: {error}; spans are lost until it works");
            }
            _ => {}
        }
        self.failing = outcome == SpanOutcome::Failed;
    }

    /// Builds the exporter from the settings of the collector.
    fn exporter(&self) -> Result<SpanExporter, ExportError> {
        let builder = SpanExporter::builder().with_tonic().with_endpoint(&self.endpoint).with_timeout(EXPORT_TIMEOUT);
        let builder = if self.endpoint.starts_with("https://") {
            let tls = transport::ClientTlsConfig::new();
            builder.with_tls_config(match &self.ca_cert {
                Some(pem) => tls.ca_certificate(transport::Certificate::from_pem(pem)),
                None => tls.with_webpki_roots(),
            })
        } else {
            builder
        };
        let mut exporter = builder.build()?;
        exporter.set_resource(&self.resource);
        Ok(exporter)
    }
}
