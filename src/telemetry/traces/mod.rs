//! Traces: what a request did and how long each part took, as spans for an OpenTelemetry collector.
//!
//! A request is traced or not from its first moment (`sample`). Of one that is not there are no spans at all, and the
//! places that would make some see that by one look at `ON`, or, where traces are switched on, at the span that
//! runs. Spans never hold a key or a value.

mod export;
mod layer;
mod sample;

use super::metrics::{Counters, Exported, Label, MetricsWriter, Outcome, names};
use crate::{settings::TelemetryConfig, types::Address};
use export::{Export, Queue};
use layer::SpanLayer;
use opentelemetry::{
    Context,
    propagation::{Extractor, TextMapPropagator},
    trace::TraceContextExt,
};
use opentelemetry_sdk::propagation::TraceContextPropagator;
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

/// Of all spans that belong to traces.
pub const TARGET: &str = "cachefront::traces";

/// Whether there are traces in this process; that is settled at its start.
static ON: AtomicBool = AtomicBool::new(false);

/// The traces of the process. A clone is a handle on the same ones; the default stands for none.
#[derive(Clone, Default)]
pub struct Traces(Option<Arc<TracesInner>>);

struct TracesInner {
    sample: TraceSampler,
    counts: Arc<Counters<Exported>>,
    queue: Queue,
    /// Until it runs.
    export: Mutex<Option<Export>>,
}

impl Traces {
    pub fn new(telemetry: &TelemetryConfig) -> Self {
        Self(telemetry.collector.as_ref().map(|collector| {
            let counts = Arc::<Counters<Exported>>::default();
            let (queue, export) = export::queue(collector, &counts);
            let sample = TraceSampler::new(telemetry.sample_ratio);
            Arc::new(TracesInner { sample, counts, queue, export: Mutex::new(Some(export)) })
        }))
    }

    /// Takes spans out of `tracing`; `None` where nobody wants them.
    pub(super) fn layer(&self) -> Option<SpanLayer> {
        self.0.as_ref().map(|inner| layer::layer(inner.queue.clone()))
    }

    pub(super) fn switch_on(&self) {
        ON.store(self.0.is_some(), Relaxed);
    }

    /// Lets another share of the requests be traced.
    pub fn set_sample_ratio(&self, ratio: f64) {
        if let Some(inner) = &self.0 {
            inner.sample.set(ratio);
        }
    }

    /// Sends spans to the collector until it is dropped: run it as a background task.
    pub async fn export(self) {
        let export =
            self.0.as_ref().and_then(|inner| inner.export.lock().unwrap_or_else(PoisonError::into_inner).take());
        if let Some(export) = export {
            export.run().await;
        }
        std::future::pending::<()>().await;
    }

    /// Waits, but not for long, until the spans that have ended by now are sent.
    pub async fn flush(&self) {
        if let Some(inner) = &self.0 {
            inner.queue.flush().await;
        }
    }

    /// Writes what became of the spans.
    pub fn write_metrics(&self, page: &mut MetricsWriter<'_>) -> fmt::Result {
        let none = Counters::default();
        let counts = self.0.as_ref().map_or(&none, |inner| &*inner.counts);
        page.counter(&names::SPANS, counts.rows())
    }

    pub fn are_on(&self) -> bool {
        self.0.is_some()
    }

    /// The span of a request, if it is traced: as its caller's `traceparent` says, else by chance.
    pub fn request(&self, name: &str, id: &str, caller: &RemoteContext<'_>) -> Span {
        let Some(inner) = &self.0 else { return Span::none() };
        let caller = caller.context();
        let is_traced = match &caller {
            Some(context) => context.span().span_context().is_sampled(),
            None => inner.sample.next(),
        };
        if !is_traced {
            return Span::none();
        }
        let span = info_span!(
            target: TARGET, parent: None, "request", otel.name = name, otel.kind = "server", otel.status_code = Empty,
            request_id = id, http.response.status_code = Empty, command = Empty, outcome = Empty, batch_size = Empty,
        );
        if let Some(caller) = caller {
            // It fails only for spans that nobody takes.
            let _continued = span.set_parent(caller);
        }
        span
    }
}

/// The span that runs, if it belongs to a trace; else none.
pub fn current() -> Span {
    if !ON.load(Relaxed) {
        return Span::none();
    }
    let span = Span::current();
    if span.metadata().is_some_and(|metadata| metadata.target() == TARGET) { span } else { Span::none() }
}

/// What a request looks for in the near cache.
pub fn near_cache(lookups: usize) -> Span {
    within(|| info_span!(target: TARGET, "near cache", batch_size = lookups, hits = Empty, outcome = Empty))
}

/// What a request does on one shard.
pub fn shard(name: impl FnOnce() -> Arc<str>, command: &'static str, operations: usize) -> Span {
    within(|| {
        info_span!(
            target: TARGET, "shard", otel.status_code = Empty, shard = &*name(), command, batch_size = operations, outcome = Empty,
        )
    })
}

/// What a request asks of one node.
pub fn node(address: &Address, commands: usize) -> Span {
    within(|| {
        info_span!(
            target: TARGET, "node", otel.kind = "client", otel.status_code = Empty, db.system.name = "redis",
            node = %address, batch_size = commands, outcome = Empty,
        )
    })
}

fn within(span: impl FnOnce() -> Span) -> Span {
    if current().is_none() { Span::none() } else { span() }
}

/// Notes what came of the part of a request that has this span.
pub fn end(span: &Span, outcome: &'static str, is_failure: bool) {
    if span.is_none() {
        return;
    }
    span.record("outcome", outcome);
    if is_failure {
        span.record("otel.status_code", "ERROR");
    }
}

/// As [`end`], for what counts as an outcome.
pub fn end_with(span: &Span, outcome: Outcome) {
    end(span, outcome.name(), outcome.is_failure());
}

/// The id of the trace that runs.
pub fn trace_id() -> Option<String> {
    let span = current();
    (!span.is_none()).then(|| span.context().span().span_context().trace_id().to_string())
}

/// What a caller says of the trace that its request belongs to: W3C Trace Context.
pub struct RemoteContext<'h> {
    pub traceparent: Option<&'h str>,
    pub tracestate: Option<&'h str>,
}

impl RemoteContext<'_> {
    fn context(&self) -> Option<Context> {
        self.traceparent?;
        let context = TraceContextPropagator::new().extract_with_context(&Context::new(), self);
        // What cannot be read counts as nothing (§4.3 there).
        context.span().span_context().is_valid().then_some(context)
    }
}

impl Extractor for RemoteContext<'_> {
    fn get(&self, name: &str) -> Option<&str> {
        match name {
            "traceparent" => self.traceparent,
            "tracestate" => self.tracestate,
            _ => None,
        }
    }

    fn keys(&self) -> Vec<&str> {
        vec!["traceparent", "tracestate"]
    }
}
