//! Every path of the admin port.

use super::{
    console::{self, Console},
    metrics,
};
use crate::{
    http::{AllowedHosts, AppState, Endpoint, HttpService, Port, probes},
    telemetry::metrics::Kind,
};
use axum::{response::Redirect, routing::get};
use std::sync::Arc;

/// The path that leads to the console.
const ROOT: &str = "/";
const NOT_FOUND_ADVICE: &str =
    "this port serves /console, /metrics, /readyz, /healthz and /version; commands are for the HTTPS port";

/// Builds the service of the admin port, which may be asked under these names.
pub fn service(state: Arc<AppState>, console: Arc<Console>, hosts: AllowedHosts) -> HttpService {
    // Relative, so that it also leads there below the path of a proxy.
    let routes = probes::routes()
        .merge(metrics::routes(&state))
        .merge(console::routes(console))
        .route(ROOT, get(async || Redirect::temporary("console")));
    let port = Port {
        routes,
        endpoint,
        direct: None,
        not_found_advice: |_| NOT_FOUND_ADVICE,
        hosts: Some(hosts),
        // The port speaks plain HTTP.
        hsts: false,
        closes_when_draining: false,
    };
    HttpService::new(port, state)
}

/// Returns the endpoint that a path belongs to.
fn endpoint(path: &str) -> Endpoint {
    Endpoint::page(match path {
        metrics::PATH => Kind::Metrics,
        ROOT => Kind::Console,
        path if console::is_path(path) => Kind::Console,
        path => probes::kind(path).unwrap_or(Kind::Other),
    })
}
