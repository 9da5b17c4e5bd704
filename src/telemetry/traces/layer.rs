//! The layer that converts `tracing` spans into spans of OpenTelemetry.

use super::queue::SpanQueue;
use opentelemetry::trace::TracerProvider;
use opentelemetry_sdk::{
    Resource,
    trace::{Sampler, SdkTracer, SdkTracerProvider},
};
use tracing_opentelemetry::OpenTelemetryLayer;
use tracing_subscriber::Registry;

/// The subscriber below the layer.
type Inner = tracing_subscriber::layer::Layered<Box<dyn tracing_subscriber::Layer<Registry> + Send + Sync>, Registry>;
/// The layer that converts spans.
pub type SpanLayer = OpenTelemetryLayer<Inner, SdkTracer>;

/// Creates the layer; it puts each span that ends into `queue`. The sampler is always on, because only requests that
/// are traced create spans.
pub fn layer(queue: SpanQueue) -> SpanLayer {
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
