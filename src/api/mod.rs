//! The only place that knows HTTP: one file per endpoint, `problem` for all errors, `layers` around everything.

mod app;
mod body;
mod budget;
mod cache;
mod caller;
mod command;
mod failure_log;
mod fallback;
mod json;
mod layers;
mod live;
mod login;
mod openapi;
mod probes;
mod problem;
mod reply;
mod schemas;
mod sync;

pub use app::App;
pub use command::parse as parse_command;
pub use openapi::document as openapi_document;
pub use reply::write as write_reply;

use axum::{
    Router, middleware,
    routing::{get, post},
};
use std::sync::Arc;
use tower_http::catch_panic::CatchPanicLayer;

/// Every path of the HTTPS port.
pub fn router(app: Arc<App>) -> Router {
    let router = Router::new()
        .route("/login", post(login::login))
        .route("/cache", post(cache::cache))
        .merge(probe_routes())
        .merge(openapi::routes());
    finish(router, app)
}

/// Every path of the admin port: nothing there needs a token, and no values are served.
pub fn admin_router(app: Arc<App>) -> Router {
    finish(probe_routes(), app)
}

fn probe_routes() -> Router<Arc<App>> {
    Router::new()
        .route("/version", get(probes::version))
        .route("/healthz", get(probes::healthz))
        .route("/readyz", get(probes::readyz))
}

fn finish(router: Router<Arc<App>>, app: Arc<App>) -> Router {
    router
        .fallback(fallback::not_found)
        .method_not_allowed_fallback(fallback::method_not_allowed)
        .with_state(app)
        // A defect must not cost the caller an answer, nor others on the same HTTP/2 connection theirs.
        .layer(CatchPanicLayer::custom(problem::from_panic))
        // Outermost, so that every answer has an id.
        .layer(middleware::from_fn(layers::request_id))
}
