//! The trace context that a caller sends with its request.

use opentelemetry::{
    Context,
    propagation::{Extractor, TextMapPropagator},
    trace::TraceContextExt,
};
use opentelemetry_sdk::propagation::TraceContextPropagator;

/// The headers in which a caller names the trace of its request (W3C Trace Context).
pub struct RemoteContext<'h> {
    /// The header `traceparent`: ids of the trace and the parent span, and whether the trace is sampled.
    pub traceparent: Option<&'h str>,
    /// The header `tracestate`: data of tracing systems.
    pub tracestate: Option<&'h str>,
}

impl RemoteContext<'_> {
    /// Parses the headers; `None` without a valid `traceparent`.
    pub(super) fn context(&self) -> Option<Context> {
        self.traceparent?;
        let context = TraceContextPropagator::new().extract_with_context(&Context::new(), self);
        // Invalid headers are ignored (W3C Trace Context, §4.3).
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
