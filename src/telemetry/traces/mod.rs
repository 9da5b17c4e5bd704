//! Traces: the parts of a request and their durations, as spans for an OpenTelemetry collector.
//!
//! The decision whether a request is traced is made at its start (`sample`). A request that is not traced creates no
//! spans: the functions here read `ON` first and then, if traces are switched on, the current span. Spans never hold a
//! key or a value.

mod export;
mod layer;
mod queue;
mod remote_context;
mod sample;

pub use remote_context::RemoteContext;

use super::metrics::{Counters, Label, MetricsWriter, Outcome, SpanOutcome, names};
use crate::{settings::TelemetryConfig, types::Address};
use export::Export;
use layer::SpanLayer;
use opentelemetry::trace::TraceContextExt;
use queue::SpanQueue;
use sample::TraceSampler;
use std::{
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};
use tracing::{Span, field::Empty, info_span};
use tracing_opentelemetry::OpenTelemetrySpanExt;

/// The target of all spans that belong to traces.
pub const TARGET: &str = "cachefront::traces";

/// True if traces are switched on in this process. It is set once, at the start.
static ON: AtomicBool = AtomicBool::new(false);

/// The traces of the process. A clone is a handle on the same traces; the default means that traces are off.
#[derive(Clone, Default)]
pub struct Traces(Option<Arc<TracesInner>>);

/// The state of traces that are switched on.
struct TracesInner {
    /// Chooses requests whose callers do not decide.
    sampler: TraceSampler,
    /// Spans by outcome.
    counts: Arc<Counters<SpanOutcome>>,
    /// The queue to the collector.
    queue: SpanQueue,
    /// The export task; `None` once it runs.
    export: Mutex<Option<Export>>,
}

impl Traces {
    /// Prepares traces; they are off if no collector is configured.
    pub fn new(telemetry: &TelemetryConfig) -> Self {
        Self(telemetry.collector.as_ref().map(|collector| {
            let counts = Arc::<Counters<SpanOutcome>>::default();
            let (queue, export) = export::queue(collector, &counts);
            let sampler = TraceSampler::new(telemetry.sample_ratio);
            Arc::new(TracesInner { sampler, counts, queue, export: Mutex::new(Some(export)) })
        }))
    }

    /// Returns the layer that takes spans out of `tracing`; `None` if traces are off.
    pub(super) fn layer(&self) -> Option<SpanLayer> {
        self.0.as_ref().map(|inner| layer::layer(inner.queue.clone()))
    }

    /// Sets `ON` if a collector is configured.
    pub(super) fn switch_on(&self) {
        ON.store(self.0.is_some(), Relaxed);
    }

    /// Changes the ratio of traced requests.
    pub fn set_sample_ratio(&self, ratio: f64) {
        if let Some(inner) = &self.0 {
            inner.sampler.set(ratio);
        }
    }

    /// Exports spans to the collector until the future is dropped. It runs as a background task.
    pub async fn export(self) {
        let export =
            self.0.as_ref().and_then(|inner| inner.export.lock().unwrap_or_else(PoisonError::into_inner).take());
        if let Some(export) = export {
            export.run().await;
        }
        std::future::pending::<()>().await;
    }

    /// Waits, for a limited time, until the spans that have ended so far are exported.
    pub async fn flush(&self) {
        if let Some(inner) = &self.0 {
            inner.queue.flush().await;
        }
    }

    /// Writes the metrics of the export.
    pub fn write_metrics(&self, writer: &mut MetricsWriter<'_>) -> fmt::Result {
        let none = Counters::default();
        let counts = self.0.as_ref().map_or(&none, |inner| &*inner.counts);
        writer.counter(&names::SPANS, counts.rows())
    }

    /// Returns true if a collector is configured.
    pub fn are_on(&self) -> bool {
        self.0.is_some()
    }

    /// Returns the span of a request; a disabled one if the request is not traced. The caller's `traceparent` decides;
    /// without one, the sampler does.
    pub fn request(&self, name: &str, id: &str, caller: &RemoteContext<'_>) -> Span {
        let Some(inner) = &self.0 else { return Span::none() };
        let caller = caller.context();
        let is_traced = match &caller {
            Some(context) => context.span().span_context().is_sampled(),
            None => inner.sampler.next(),
        };
        if !is_traced {
            return Span::none();
        }
        let span = info_span!(
            target: TARGET, parent: None, "request", otel.name = name, otel.kind = "server", otel.status_code = Empty,
            request_id = id, http.response.status_code = Empty, command = Empty, outcome = Empty, batch_size = Empty,
        );
        if let Some(caller) = caller {
            // It fails only if no layer takes spans.
            let _linked = span.set_parent(caller);
        }
        span
    }
}

/// Returns the current span if it belongs to a trace, else a disabled one.
pub fn current() -> Span {
    if !ON.load(Relaxed) {
        return Span::none();
    }
    let span = Span::current();
    if span.metadata().is_some_and(|metadata| metadata.target() == TARGET) { span } else { Span::none() }
}

/// Returns the span of a request's lookups in the near cache.
pub fn near_cache(lookups: usize) -> Span {
    child_of_current(|| info_span!(target: TARGET, "near cache", batch_size = lookups, hits = Empty, outcome = Empty))
}

/// Returns the span of a request's operations on one shard.
pub fn shard(name: impl FnOnce() -> Arc<str>, command: &'static str, operations: usize) -> Span {
    child_of_current(|| {
        info_span!(
            target: TARGET, "shard", otel.status_code = Empty, shard = &*name(), command, batch_size = operations, outcome = Empty,
        )
    })
}

/// Returns the span of commands to one node.
pub fn node(address: &Address, commands: usize) -> Span {
    child_of_current(|| {
        info_span!(
            target: TARGET, "node", otel.kind = "client", otel.status_code = Empty, db.system.name = "redis",
            node = %address, batch_size = commands, outcome = Empty,
        )
    })
}

/// Creates a span if the current one belongs to a trace.
fn child_of_current(span: impl FnOnce() -> Span) -> Span {
    if current().is_none() { Span::none() } else { span() }
}

/// Records the outcome in a span.
pub fn end(span: &Span, outcome: &'static str, is_failure: bool) {
    if span.is_none() {
        return;
    }
    span.record("outcome", outcome);
    if is_failure {
        span.record("otel.status_code", "ERROR");
    }
}

/// Records an [`Outcome`] in a span.
pub fn end_with(span: &Span, outcome: Outcome) {
    end(span, outcome.name(), outcome.is_failure());
}

/// Returns the id of the current trace.
pub fn trace_id() -> Option<String> {
    let span = current();
    (!span.is_none()).then(|| span.context().span().span_context().trace_id().to_string())
}
