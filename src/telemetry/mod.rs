//! What the process says about itself: logs, on standard error, metrics, and the last events.

pub mod events;
pub mod metrics;

use crate::settings::{LogFormat, Service};
use std::{io, sync::OnceLock};
use tracing_subscriber::{EnvFilter, Registry, fmt, layer::SubscriberExt, reload, util::SubscriberInitExt};

/// Of the logs that run.
static FILTER: OnceLock<reload::Handle<EnvFilter, Registry>> = OnceLock::new();

/// Starts logging for the whole process. A second call, as in tests, changes nothing.
pub fn start(service: &Service) {
    let (filter, handle) = reload::Layer::new(filter(service));
    let logs = tracing_subscriber::registry().with(filter);
    let to_stderr = fmt::layer().with_writer(io::stderr);
    let started = match service.log_format {
        LogFormat::Human => {
            logs.with(to_stderr.with_ansi(io::IsTerminal::is_terminal(&io::stderr())).with_target(false)).try_init()
        }
        LogFormat::Json => logs.with(to_stderr.json().flatten_event(true)).try_init(),
    };
    // An error means that logging runs already.
    if started.is_ok() {
        let _first = FILTER.set(handle);
    }
}

/// Lets the logs that run follow another `LOG_LEVEL`.
pub fn set_level(service: &Service) {
    if let Some(handle) = FILTER.get() {
        // It fails only when the logs are gone.
        let _followed = handle.reload(filter(service));
    }
}

fn filter(service: &Service) -> EnvFilter {
    EnvFilter::builder().parse_lossy(&service.log_level)
}
