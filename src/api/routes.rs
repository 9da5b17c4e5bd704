//! Every path of the HTTPS port.

use super::{cache, login, openapi};
use crate::{
    http::{AppState, DirectRoute, Endpoint, HttpService, Port, probes},
    telemetry::metrics::Kind,
};
use axum::{Router, http::Method, routing::post};
use std::sync::Arc;

/// Builds the service of the HTTPS port.
pub fn service(state: Arc<AppState>) -> HttpService {
    let routes = Router::new()
        .route(login::PATH, post(login::login))
        .route(cache::PATH, post(cache::cache))
        .merge(probes::routes())
        .merge(openapi::routes());
    let direct = DirectRoute { method: Method::POST, path: cache::PATH, span: "POST /cache", handler: cache::direct };
    let not_found_advice = "see /docs for the paths that do";
    HttpService::new(
        Port { routes, endpoint, direct: Some(direct), not_found_advice, closes_when_draining: true },
        state,
    )
}

/// Returns the endpoint that a path belongs to.
fn endpoint(path: &str) -> Endpoint {
    match path {
        cache::PATH => Endpoint { kind: Kind::Unparsed, span: None, methods: "POST" },
        login::PATH => Endpoint { kind: Kind::Login, span: Some("POST /login"), methods: "POST" },
        path if openapi::is_path(path) => Endpoint::page(Kind::Docs),
        path => Endpoint::page(probes::kind(path).unwrap_or(Kind::Other)),
    }
}
