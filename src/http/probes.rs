//! `/healthz`, `/readyz` and `/version`, on both ports: for orchestrators and people, without a token.

use super::{
    json,
    readiness::{Readiness, ServiceStatus},
    state::AppState,
};
use crate::telemetry::metrics::Kind;
use axum::{
    Router,
    extract::State,
    http::{HeaderValue, StatusCode, header::CACHE_CONTROL},
    response::Response,
    routing::get,
};
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;

/// The answer of `/version`.
#[derive(Serialize, ToSchema)]
pub struct Version {
    version: &'static str,
}

/// The answer of `/healthz`.
#[derive(Serialize, ToSchema)]
#[schema(as = Status)]
pub struct Liveness {
    status: &'static str,
}

/// Returns the routes of all probes.
pub fn routes() -> Router<Arc<AppState>> {
    Router::new().route("/version", get(version)).route("/healthz", get(healthz)).route("/readyz", get(readyz))
}

/// Returns the probe that a path belongs to.
pub fn kind(path: &str) -> Option<Kind> {
    match path {
        "/version" => Some(Kind::Version),
        "/healthz" => Some(Kind::Healthz),
        "/readyz" => Some(Kind::Readyz),
        _ => None,
    }
}

/// Returns the version that runs.
#[utoipa::path(get, path = "/version", tag = "probes", responses((status = 200, description = "The version", body = Version)))]
pub async fn version() -> Response {
    answer(StatusCode::OK, &Version { version: env!("CARGO_PKG_VERSION") })
}

/// Answers as long as the process is alive.
#[utoipa::path(get, path = "/healthz", tag = "probes", responses((status = 200, description = "Alive", body = Liveness)))]
pub async fn healthz() -> Response {
    answer(StatusCode::OK, &Liveness { status: "OK" })
}

/// Tells whether requests should be sent here, and what is wrong.
///
/// An instance becomes ready when every shard has been reached once. From then on it stays ready as long as any shard
/// can be read.
#[utoipa::path(get, path = "/readyz", tag = "probes", responses(
    (status = 200, description = "Ready; `DEGRADED` where some shard is not complete", body = Readiness),
    (status = 503, description = "Not ready; `problems` says why", body = Readiness),
))]
pub async fn readyz(State(state): State<Arc<AppState>>) -> Response {
    let readiness = Readiness::of(&state);
    let ready = readiness.status != ServiceStatus::NotReady;
    answer(if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }, &readiness)
}

fn answer(status: StatusCode, body: &impl Serialize) -> Response {
    let mut response = json::response(serde_json::to_vec(body).unwrap_or_default());
    *response.status_mut() = status;
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
