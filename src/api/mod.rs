//! The only place that knows HTTP: one file per endpoint, `problem` for all errors, `layers` around everything.

mod app;
mod body;
mod budget;
mod cache;
mod caller;
mod command;
pub mod console;
mod failure_log;
mod fallback;
mod front;
mod json;
mod layers;
mod live;
mod login;
mod measure;
mod metrics;
mod openapi;
mod probes;
mod problem;
mod reply;
mod schemas;
mod sync;

pub use app::App;
pub use command::parse as parse_command;
pub use console::watch;
pub use front::HttpService;
pub use openapi::document as openapi_document;
pub use reply::write as write_reply;

use axum::{
    Router,
    routing::{get, post},
};
use std::sync::Arc;

/// Every path of the HTTPS port.
pub fn router(app: Arc<App>) -> HttpService {
    let router = Router::new()
        .route("/login", post(login::login))
        .route(cache::PATH, post(cache::cache))
        .merge(probe_routes())
        .merge(openapi::routes());
    let router = finish(router, Arc::clone(&app));
    HttpService::new(router, app, true)
}

/// Every path of the admin port: nothing there needs a token, and no values are served.
pub fn admin_router(app: Arc<App>) -> HttpService {
    let router = finish(probe_routes().merge(metrics::routes(&app)).merge(console::routes()), Arc::clone(&app));
    HttpService::new(router, app, false)
}

fn probe_routes() -> Router<Arc<App>> {
    Router::new()
        .route("/version", get(probes::version))
        .route("/healthz", get(probes::healthz))
        .route("/readyz", get(probes::readyz))
}

fn finish(router: Router<Arc<App>>, app: Arc<App>) -> Router {
    router.fallback(fallback::not_found).method_not_allowed_fallback(fallback::method_not_allowed).with_state(app)
}
