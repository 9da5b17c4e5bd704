//! The way of spans to the collector: a queue with a limit, and a task that sends what is in it.
//!
//! A request only puts its spans into the queue, or, when that is full, drops them. Whether the collector is slow,
//! refuses or is not there is felt by the task alone.

use crate::{
    settings::CollectorConfig,
    telemetry::metrics::{Counters, Exported},
};
use opentelemetry::{Context, KeyValue};
use opentelemetry_otlp::{SpanExporter, WithExportConfig, WithTonicConfig, tonic_types::transport};
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
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

/// Spans that wait to be sent; about a kilobyte each.
const QUEUE_SPANS_MAX: usize = 8192;
/// Spans that are sent together.
const BATCH_SPANS_MAX: usize = 512;
/// How long a span may wait for others.
const BATCH_WAIT: Duration = Duration::from_millis(500);
/// How long the collector may take with a batch.
const EXPORT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long the end of the process waits for the last spans.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(2);

/// The end of the queue that requests see.
#[derive(Clone)]
pub struct Queue {
    spans: mpsc::Sender<Queued>,
    counts: Arc<Counters<Exported>>,
    /// It was said that spans are dropped.
    said: Arc<AtomicBool>,
}

enum Queued {
    Span(Box<SpanData>),
    /// Everything before it is to be sent, and then that is to be said.
    Flush(oneshot::Sender<()>),
}

/// The other end.
pub struct Export {
    spans: mpsc::Receiver<Queued>,
    counts: Arc<Counters<Exported>>,
    endpoint: String,
    ca_cert: Option<Vec<u8>>,
    resource: Resource,
    /// The collector did not take the last batch.
    failing: bool,
}

/// A queue to a collector, with both its ends.
pub fn queue(collector: &CollectorConfig, counts: &Arc<Counters<Exported>>) -> (Queue, Export) {
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
    (Queue { spans: sender, counts: Arc::clone(counts), said: Arc::default() }, export)
}

/// The host, which is the pod in Kubernetes, and the process.
fn instance() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    format!("{}:{}", host.trim(), std::process::id())
}

impl fmt::Debug for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Queue")
    }
}

impl SpanProcessor for Queue {
    fn on_start(&self, _: &mut Span, _: &Context) {}

    fn on_end(&self, span: SpanData) {
        if self.spans.try_send(Queued::Span(Box::new(span))).is_err() {
            self.counts.count(Exported::Dropped);
            if !self.said.swap(true, Relaxed) {
                tracing::warn!("spans are dropped: the collector of traces takes them more slowly than they come");
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

impl Queue {
    /// Waits, but not for long, until all that is in it was sent.
    pub async fn flush(&self) {
        let (done, is_done) = oneshot::channel();
        let flushed = async {
            let sent = self.spans.send(Queued::Flush(done)).await;
            sent.is_ok() && is_done.await.is_ok()
        };
        if !timeout(FLUSH_TIMEOUT, flushed).await.unwrap_or(false) {
            tracing::warn!("the last spans did not reach the collector of traces");
        }
    }
}

impl Export {
    /// Sends spans for as long as there can be any.
    pub async fn run(mut self) {
        let exporter = self.exporter().inspect_err(|problem| {
            tracing::error!(problem, "there is no way to the collector of traces, so no span is sent");
        });
        while let Some((batch, flushed)) = self.batch().await {
            self.send(exporter.as_ref().ok(), batch).await;
            if let Some(flushed) = flushed {
                // Who waited for it may have given up.
                let _told = flushed.send(());
            }
        }
    }

    /// Spans that are sent together, and who waits for that.
    async fn batch(&mut self) -> Option<(Vec<SpanData>, Option<oneshot::Sender<()>>)> {
        let mut batch = match self.spans.recv().await? {
            Queued::Span(span) => vec![*span],
            Queued::Flush(flushed) => return Some((Vec::new(), Some(flushed))),
        };
        let until = Instant::now() + BATCH_WAIT;
        while batch.len() < BATCH_SPANS_MAX {
            match timeout_at(until, self.spans.recv()).await {
                Ok(Some(Queued::Span(span))) => batch.push(*span),
                Ok(Some(Queued::Flush(flushed))) => return Some((batch, Some(flushed))),
                Ok(None) | Err(_) => break,
            }
        }
        Some((batch, None))
    }

    async fn send(&mut self, exporter: Option<&SpanExporter>, batch: Vec<SpanData>) {
        let spans = batch.len();
        if spans == 0 {
            return;
        }
        let sent = match exporter {
            None => Err("there is no way to it".to_owned()),
            Some(exporter) => match timeout(EXPORT_TIMEOUT, exporter.export(batch)).await {
                Ok(Ok(())) => Ok(()),
                Ok(Err(error)) => Err(error.to_string()),
                Err(_) => Err("it takes too long".to_owned()),
            },
        };
        let fate = if sent.is_ok() { Exported::Sent } else { Exported::Failed };
        self.counts.of(fate).add(spans as u64);
        match sent {
            Ok(()) if self.failing => tracing::info!("the collector of traces takes spans again"),
            Err(problem) if !self.failing => {
                tracing::warn!(problem, "the collector of traces does not take spans; they are lost until it does");
            }
            _ => {}
        }
        self.failing = fate == Exported::Failed;
    }

    fn exporter(&self) -> Result<SpanExporter, String> {
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
        let mut exporter = builder.build().map_err(|error| error.to_string())?;
        exporter.set_resource(&self.resource);
        Ok(exporter)
    }
}
