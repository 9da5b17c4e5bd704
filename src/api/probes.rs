//! `/healthz`, `/readyz`, `/version`: for orchestrators and people, without a token.

use super::{app::App, console::ServiceStatus, json, schemas};
use crate::store::ShardHealth;
use axum::{
    extract::State,
    http::{HeaderValue, StatusCode, header::CACHE_CONTROL},
    response::Response,
};
use serde::Serialize;
use std::sync::Arc;

#[derive(Serialize)]
struct Version {
    version: &'static str,
}

#[derive(Serialize)]
struct Health {
    status: &'static str,
}

/// Whether requests should be sent here, and what is missing.
#[derive(Serialize)]
pub struct Readiness {
    pub status: ServiceStatus,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<String>,
}

/// The version that runs.
#[utoipa::path(get, path = "/version", tag = "probes", responses((status = 200, description = "The version", body = schemas::Version)))]
pub async fn version() -> Response {
    answer(StatusCode::OK, &Version { version: env!("CARGO_PKG_VERSION") })
}

/// The process is alive.
#[utoipa::path(get, path = "/healthz", tag = "probes", responses((status = 200, description = "Alive", body = schemas::Status)))]
pub async fn healthz() -> Response {
    answer(StatusCode::OK, &Health { status: "OK" })
}

/// Whether requests should be sent here, and what is missing.
///
/// Not before every shard has been reached once; from then on as long as any shard can be read, because taking
/// every instance out of service for one lost shard would lose the others, too.
#[utoipa::path(get, path = "/readyz", tag = "probes", responses(
    (status = 200, description = "Ready; `DEGRADED` where some shard is not whole", body = schemas::Readiness),
    (status = 503, description = "Not ready; `problems` says why", body = schemas::Readiness),
))]
pub async fn readyz(State(app): State<Arc<App>>) -> Response {
    let readiness = readiness(&app);
    let ready = readiness.status != ServiceStatus::NotReady;
    let code = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    answer(code, &readiness)
}

/// As far as is known without asking.
pub fn readiness(app: &App) -> Readiness {
    let shards = app.store.health();
    let complete_once = app.complete_once(shards.iter().all(ShardHealth::can_read));
    let mut problems = app.store.topology_problems();
    problems.extend(shards.iter().flat_map(shard_problems));
    if app.is_draining() {
        problems.push("the service is shutting down".to_owned());
    }
    let ready = !app.is_draining() && complete_once && shards.iter().any(ShardHealth::can_read);
    let status = match (ready, problems.is_empty()) {
        (true, true) => ServiceStatus::Ready,
        (true, false) => ServiceStatus::Degraded,
        (false, _) => ServiceStatus::NotReady,
    };
    Readiness { status, problems }
}

fn shard_problems(shard: &ShardHealth) -> Vec<String> {
    if let Some(vacancy) = shard.unavailable_reason {
        return vec![format!("shard \"{}\": {vacancy}", shard.name)];
    }
    if !shard.known {
        return vec![format!("shard \"{}\": its nodes are not known yet", shard.name)];
    }
    let master = (!shard.master_up).then(|| format!("shard \"{}\": the master is not reachable", shard.name));
    let missing = shard.replicas - shard.replicas_up;
    let replicas = (missing > 0)
        .then(|| format!("shard \"{}\": {missing} of {} replicas are not reachable", shard.name, shard.replicas));
    let contested = shard
        .split_brain
        .then(|| format!("shard \"{}\": two nodes call themselves master; one of them is used", shard.name));
    master.into_iter().chain(replicas).chain(contested).collect()
}

fn answer(code: StatusCode, body: &impl Serialize) -> Response {
    let mut response = json::response(serde_json::to_vec(body).unwrap_or_default());
    *response.status_mut() = code;
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
