//! The resources of this process, its connections and its certificate, for the console.

use super::{
    sample::HistorySample,
    snapshot::{ProcessView, rounded},
};
use crate::{
    http::AppState,
    telemetry::metrics::{Listener, ProcessUsage},
};
use std::{env, sync::atomic::Ordering::Relaxed};

impl ProcessView {
    /// Reads the state of the process. `then` is a sample of some seconds ago.
    pub fn of(state: &AppState, usage: &ProcessUsage, then: Option<&HistorySample>, now: &HistorySample) -> Self {
        let connections = state.metrics.connections(Listener::Service);
        let used = then.and_then(|then| Some((now.cpu_secs? - then.cpu_secs?) / now.age(then).as_secs_f64()));
        Self {
            cpu_cores: used.filter(|cores| cores.is_finite()).map(|cores| rounded(cores.max(0.0))),
            memory_bytes: usage.resident_bytes,
            memory_bytes_max: usage.memory_limit_bytes,
            connections: connections.open(),
            connections_max: connections.limit.load(Relaxed),
            certificate_until_secs: state.metrics.certificates.service.until_secs(),
        }
    }
}

/// Returns the name of this instance: that of its host or pod.
pub fn instance_name() -> String {
    let named = env::var("HOSTNAME").ok().filter(|name| !name.is_empty());
    named.unwrap_or_else(|| rustix::system::uname().nodename().to_string_lossy().into_owned())
}
