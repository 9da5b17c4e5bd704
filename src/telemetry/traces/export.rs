//! The background task that exports spans to the collector. A collector that is slow, refuses spans or is unreachable
//! delays this task only, never a request.

use super::queue::{QueueItem, SpanQueue};
use crate::{
    settings::CollectorConfig,
    telemetry::metrics::{Counters, SpanOutcome},
};
use opentelemetry::KeyValue;
use opentelemetry_otlp::{ExporterBuildError, SpanExporter, WithExportConfig, WithTonicConfig, tonic_types::transport};
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkError,
    trace::{SpanData, SpanExporter as _},
};
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, timeout, timeout_at},
};

/// Maximum number of spans in one export.
const BATCH_SPANS_MAX: usize = 512;
/// Maximum time that a span waits for others to be exported with it.
const BATCH_WAIT: Duration = Duration::from_millis(500);
/// Maximum duration of one export.
const EXPORT_TIMEOUT: Duration = Duration::from_secs(5);
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
    let (queue, spans) = SpanQueue::new(counts);
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
    (queue, export)
}

/// Returns the id of this instance: the host name, which is the name of the pod in Kubernetes, and the process id.
fn instance() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    format!("{}:{}", host.trim(), std::process::id())
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
        self.counts.add(outcome, spans as u64);
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
