//! `/healthz`, `/readyz` and `/version`, on both ports: for orchestrators and people, without a token. Details of the
//! readiness are on the admin port only.

use super::{
    json,
    readiness::{Readiness, ServiceStatus},
    state::AppState,
};
use crate::telemetry::metrics::Kind;
use axum::{Router, extract::State, http::StatusCode, response::Response, routing::get};
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

/// The readiness of this instance.
#[derive(Serialize, ToSchema)]
#[schema(as = Readiness)]
pub struct PublicReadiness {
    status: PublicStatus,
}

/// The readiness of this instance in one word.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum PublicStatus {
    Ready,
    NotReady,
}

/// Returns the routes of all probes for strangers, who learn nothing about shards and nodes.
pub fn public_routes() -> Router<Arc<AppState>> {
    common_routes().route("/readyz", get(public_readyz))
}

/// Returns the routes of all probes for operators.
pub fn routes() -> Router<Arc<AppState>> {
    common_routes().route("/readyz", get(readyz))
}

fn common_routes() -> Router<Arc<AppState>> {
    Router::new().route("/version", get(version)).route("/healthz", get(healthz))
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
///
/// It is that of the program, and the same on both ports.
#[utoipa::path(get, path = "/version", tag = "probes", security(()), responses(
    (status = 200, description = "The version", body = Version, example = json!({"version": env!("CARGO_PKG_VERSION")})),
))]
pub async fn version() -> Response {
    answer(StatusCode::OK, &Version { version: env!("CARGO_PKG_VERSION") })
}

/// Answers as long as the process is alive.
///
/// It does not depend on Redis: a process that cannot reach Redis must not be started again for that.
#[utoipa::path(get, path = "/healthz", tag = "probes", security(()), responses(
    (status = 200, description = "Alive", body = Liveness, example = json!({"status": "OK"})),
))]
pub async fn healthz() -> Response {
    answer(StatusCode::OK, &Liveness { status: "OK" })
}

/// Tells whether requests should be sent here.
///
/// An instance becomes ready when every shard has been reached once. From then on it stays ready as long as any shard
/// can be read. The admin port says what is wrong.
#[utoipa::path(get, path = "/readyz", operation_id = "readyz", tag = "probes", security(()), responses(
    (status = 200, description = "Ready", body = PublicReadiness, example = json!({"status": "READY"})),
    (status = 503, description = "Not ready", body = PublicReadiness, examples(
        ("NOT_READY" = (summary = "No shard can be read, or the instance is shutting down.", value = json!({"status": "NOT_READY"}))),
    )),
))]
pub async fn public_readyz(State(state): State<Arc<AppState>>) -> Response {
    let status = readiness_status(Readiness::of(&state).status);
    let word = if status == StatusCode::OK { PublicStatus::Ready } else { PublicStatus::NotReady };
    answer(status, &PublicReadiness { status: word })
}

/// Tells whether requests should be sent here, and what is wrong.
async fn readyz(State(state): State<Arc<AppState>>) -> Response {
    let readiness = Readiness::of(&state);
    answer(readiness_status(readiness.status), &readiness)
}

fn readiness_status(status: ServiceStatus) -> StatusCode {
    if status == ServiceStatus::NotReady { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK }
}

fn answer(status: StatusCode, body: &impl Serialize) -> Response {
    let mut response = json::response(serde_json::to_vec(body).unwrap_or_default());
    *response.status_mut() = status;
    response
}
