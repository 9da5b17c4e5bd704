//! From `tracing` spans to those of OpenTelemetry.

use super::export::Queue;
use opentelemetry::trace::TracerProvider;
use opentelemetry_sdk::{
    Resource,
    trace::{Sampler, SdkTracer, SdkTracerProvider},
};
use tracing_opentelemetry::OpenTelemetryLayer;
use tracing_subscriber::Registry;

type Under = tracing_subscriber::layer::Layered<Box<dyn tracing_subscriber::Layer<Registry> + Send + Sync>, Registry>;
pub type SpanLayer = OpenTelemetryLayer<Under, SdkTracer>;

/// Hands each span that ends to `queue`, which knows whose they are. Whoever makes spans has decided that they are
/// wanted.
pub fn layer(queue: Queue) -> SpanLayer {
    let provider = SdkTracerProvider::builder()
        .with_resource(Resource::builder_empty().build())
        .with_sampler(Sampler::AlwaysOn)
        .with_span_processor(queue)
        .build();
    tracing_opentelemetry::layer()
        .with_tracer(provider.tracer("cachefront"))
        .with_location(false)
        .with_threads(false)
        .with_target(false)
        .with_level(false)
        .with_tracked_inactivity(false)
        .with_context_activation(false)
}
