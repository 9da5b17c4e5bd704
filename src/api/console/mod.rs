//! `/console`, on the admin port: how this instance is, for people, and the same as JSON.
//!
//! The page is written here and shows everything without a script; the script asks for what changes as JSON and puts
//! it in as text. All that the page needs comes from this port, and it may load nothing else.

mod facts;
mod gather;
mod history;
mod page;
mod part;
mod patterns;
pub mod words;

pub use facts::{ConsoleSnapshot, NodeRoleView, ServiceStatus, ShardView};
pub use gather::{Console, watch};
pub use page::{behind, summary};

use super::{app::App, json, problem::Problem};
use axum::{
    Router,
    body::Body,
    extract::State,
    http::{
        HeaderMap, HeaderName, HeaderValue, StatusCode,
        header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS},
    },
    response::{IntoResponse, Redirect, Response},
    routing::get,
};
use serde::Serialize;
use std::sync::Arc;

pub const PATH: &str = "/console";
/// Only what this port serves, no frames, no forms, nothing inline; the icon is an empty one.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src data:; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// All paths, for a port that strangers do not reach.
pub fn routes() -> Router<Arc<App>> {
    let file = |content_type: &'static str, text: &'static str| get(async move || answer(content_type, text));
    Router::new()
        .route(PATH, get(whole))
        .route("/console/", get(async || Redirect::permanent("../console")))
        .route("/console/view", get(view))
        .route("/console/facts", get(all_facts))
        .route("/console/console.css", file("text/css; charset=utf-8", include_str!("assets/console.css")))
        .route("/console/console.js", file("text/javascript; charset=utf-8", include_str!("assets/console.js")))
}

/// True if it is one of these.
pub fn is_path(path: &str) -> bool {
    path.strip_prefix(PATH).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

async fn whole(State(app): State<Arc<App>>) -> Response {
    answer("text/html; charset=utf-8", page::page(&gather::facts(&app)))
}

async fn view(State(app): State<Arc<App>>) -> Response {
    in_json(&page::view(&gather::facts(&app)))
}

async fn all_facts(State(app): State<Arc<App>>) -> Response {
    in_json(&gather::facts(&app))
}

fn in_json(body: &impl Serialize) -> Response {
    let Ok(text) = serde_json::to_vec(body) else {
        let message = "The facts could not be written";
        return Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal_error", message).into_response();
    };
    guarded(json::response(text))
}

fn answer(content_type: &'static str, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    guarded(response)
}

fn guarded(mut response: Response) -> Response {
    let headers: &mut HeaderMap = response.headers_mut();
    let mut set = |name: HeaderName, value| headers.insert(name, HeaderValue::from_static(value));
    set(CONTENT_SECURITY_POLICY, POLICY);
    set(X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(REFERRER_POLICY, "no-referrer");
    set(CACHE_CONTROL, "no-store");
    // No page of another origin may embed it.
    set(HeaderName::from_static("cross-origin-resource-policy"), "same-origin");
    set(HeaderName::from_static("cross-origin-opener-policy"), "same-origin");
    response
}
