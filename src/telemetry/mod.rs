//! Logs (on standard error), metrics, traces and the latest events of the process.

pub mod events;
pub mod metrics;
mod request_timer;
pub mod traces;

pub use request_timer::RequestTimer;

use crate::settings::{LogFormat, ServiceConfig, Settings};
use std::{io, sync::OnceLock};
use traces::Traces;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::{
    EnvFilter, Layer, Registry,
    filter::{Directive, filter_fn},
    fmt,
    layer::SubscriberExt,
    reload,
    util::SubscriberInitExt,
};

/// A handle on the filter of the log, with which a reload changes `LOG_LEVEL`.
static FILTER: OnceLock<reload::Handle<EnvFilter, Registry>> = OnceLock::new();

/// Starts the log of the process, and traces if a collector is configured: the server exports those. A second call, as
/// in tests, changes nothing.
pub fn start(settings: &Settings) -> Traces {
    let service = &settings.service;
    let (filter, handle) = reload::Layer::new(filter(service));
    let to_stderr = fmt::layer().with_writer(io::stderr);
    let logs = match service.log_format {
        LogFormat::Human => to_stderr
            .with_ansi(io::IsTerminal::is_terminal(&io::stderr()))
            .with_target(false)
            .with_filter(filter)
            .boxed(),
        LogFormat::Json => to_stderr.json().flatten_event(true).with_filter(filter).boxed(),
    };
    let traces = Traces::new(&settings.telemetry);
    let is_span_of_trace = filter_fn(|metadata| metadata.is_span() && metadata.target() == traces::TARGET);
    let spans = traces.layer().map(|layer| layer.with_filter(is_span_of_trace.with_max_level_hint(LevelFilter::INFO)));
    let started = tracing_subscriber::registry().with(logs).with(spans).try_init();
    // An error means that the log was started before.
    if started.is_err() {
        return Traces::default();
    }
    let _is_first = FILTER.set(handle);
    traces.switch_on();
    traces
}

/// Changes `LOG_LEVEL` of the running log.
pub fn set_level(service: &ServiceConfig) {
    if let Some(handle) = FILTER.get() {
        // An error means that the log has ended.
        let _reloaded = handle.reload(filter(service));
    }
}

/// Returns the filter for `LOG_LEVEL`. It leaves out the spans of traces, which the log would repeat in every line.
fn filter(service: &ServiceConfig) -> EnvFilter {
    let no_spans: Directive = format!("{}=off", traces::TARGET).parse().expect("a directive");
    EnvFilter::builder().parse_lossy(&service.log_level).add_directive(no_spans)
}
