//! What the process says about itself. Today: logs, on standard error.

use crate::settings::{LogFormat, Service};
use std::io;
use tracing_subscriber::{EnvFilter, fmt};

/// Starts logging for the whole process. A second call, as in tests, changes nothing.
pub fn start(service: &Service) {
    let filter = EnvFilter::builder().parse_lossy(&service.log_level);
    let logs = fmt().with_env_filter(filter).with_writer(io::stderr);
    // An error means that logging runs already.
    let _running = match service.log_format {
        LogFormat::Human => logs.with_ansi(io::IsTerminal::is_terminal(&io::stderr())).with_target(false).try_init(),
        LogFormat::Json => logs.json().flatten_event(true).try_init(),
    };
}
