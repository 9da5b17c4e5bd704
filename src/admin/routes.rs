//! Every path of the admin port.

use super::{
    console::{self, Console},
    metrics,
};
use crate::{
    http::{AppState, Endpoint, HttpService, Port, probes},
    telemetry::metrics::Kind,
};
use std::sync::Arc;

/// Builds the service of the admin port.
pub fn service(state: Arc<AppState>, console: Arc<Console>) -> HttpService {
    let routes = probes::routes().merge(metrics::routes(&state)).merge(console::routes(console));
    let not_found_advice = "this port serves /console, /metrics and /readyz";
    HttpService::new(Port { routes, endpoint, direct: None, not_found_advice, closes_when_draining: false }, state)
}

/// Returns the endpoint that a path belongs to.
fn endpoint(path: &str) -> Endpoint {
    Endpoint::page(match path {
        metrics::PATH => Kind::Metrics,
        path if console::is_path(path) => Kind::Console,
        path => probes::kind(path).unwrap_or(Kind::Other),
    })
}
