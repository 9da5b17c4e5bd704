//! Every path of the HTTPS port.

use super::{cache, login, openapi};
use crate::{
    http::{AppState, DirectRoute, Endpoint, ErrorCode, HttpService, Port, Problem, probes},
    telemetry::metrics::Kind,
};
use axum::{
    Router,
    http::{
        HeaderName, HeaderValue, Method, StatusCode,
        header::{CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_FRAME_OPTIONS},
    },
    middleware::map_response,
    response::{IntoResponse, Response},
    routing::post,
};
use std::sync::Arc;

/// Headers of the documentation page. It may load only what this port serves, and no other page may embed it. The hash is that
/// of the only inline style: the colours of Swagger UI's logo.
const PAGE_HEADERS: [(HeaderName, HeaderValue); 3] = [
    (
        CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(
            "default-src 'none'; script-src 'self'; \
             style-src 'self' 'sha256-RL3ie0nH+Lzz2YNqQN83mnU0J1ot4QL7b99vMdIX99w='; img-src 'self' data:; connect-src 'self'; \
             base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        ),
    ),
    (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
];

/// The parts of the HTTPS port that the settings choose.
#[derive(Clone, Copy)]
pub struct ApiOptions {
    /// The description of the port and its page are served.
    pub docs: bool,
    /// Browsers are asked to use nothing but HTTPS with this host.
    pub hsts: bool,
}

/// Builds the service of the HTTPS port.
pub fn service(state: Arc<AppState>, ApiOptions { docs, hsts }: ApiOptions) -> HttpService {
    let mut routes = Router::new()
        .route(login::PATH, post(login::login))
        .route(cache::PATH, post(cache::cache))
        .merge(probes::public_routes());
    if docs {
        routes = routes.merge(openapi::routes().layer(map_response(with_page_headers)));
    }
    let direct = DirectRoute { method: Method::POST, path: cache::PATH, span: cache::SPAN, handler: cache::direct };
    let not_found_advice = if docs { advice_with_docs } else { advice_without_docs };
    let closes_when_draining = true;
    let port =
        Port { routes, endpoint, direct: Some(direct), not_found_advice, hosts: None, hsts, closes_when_draining };
    HttpService::new(port, state)
}

async fn with_page_headers(mut response: Response) -> Response {
    if response.status() == StatusCode::NOT_FOUND {
        // The library that serves the page answers a path below it with an empty body.
        let message = "This path does not exist: the description is at /docs and /openapi.json";
        response = Problem::new(ErrorCode::UnknownPath, message).into_response();
    }
    response.headers_mut().extend(PAGE_HEADERS);
    response
}

fn advice_with_docs(path: &str) -> &'static str {
    admin_advice(path).unwrap_or("see /docs for the paths that do")
}

fn advice_without_docs(path: &str) -> &'static str {
    admin_advice(path).unwrap_or("this port serves /login, /cache, /readyz, /healthz and /version")
}

/// Returns the advice for a path of the admin port.
fn admin_advice(path: &str) -> Option<&'static str> {
    let first = path.split('/').nth(1).unwrap_or_default();
    ["console", "metrics"]
        .contains(&first)
        .then_some("/console and /metrics are on the admin port, which speaks plain HTTP (ADMIN_PORT, by default 9091)")
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
