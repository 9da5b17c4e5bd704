//! `/console`: the state of this instance as a page for people, and as JSON.
//!
//! The page is written here and shows everything without a script. The script asks for the view as JSON and replaces
//! what differs, as text. Everything that the page needs comes from this port, and it may load nothing else.

mod collect;
pub mod format;
mod history;
mod html;
mod page;
mod patterns;
mod process_view;
mod runbook;
mod sample;
mod shard_problem;
mod snapshot;

pub use collect::Console;
pub use page::{WriteTarget, behind, shard_state, summary, writes_go_to};
pub use snapshot::{ConsoleSnapshot, NodeRoleView, NodeView, ShardView};

use crate::http::{AppState, ErrorCode, Problem, json as json_body};
use axum::{
    Router,
    body::Body,
    extract::State,
    http::{
        HeaderMap, HeaderName, HeaderValue,
        header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY},
    },
    response::{IntoResponse, Redirect, Response},
    routing::get,
};
use serde::Serialize;
use std::sync::Arc;

/// The path of the page. Everything else is below it.
pub const PATH: &str = "/console";
/// Allows only what this port serves: no frames, no forms, nothing inline. The icon is an empty data URL.
const CONTENT_POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src data:; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
const STYLE: &str = include_str!("assets/console.css");
const SCRIPT: &str = include_str!("assets/console.js");

/// Returns the routes of the console.
pub fn routes(console: Arc<Console>) -> Router<Arc<AppState>> {
    Router::new()
        .route(PATH, get(page))
        .route("/console/", get(async || Redirect::permanent("../console")))
        .route("/console/view", get(view))
        .route("/console/facts", get(snapshot))
        .route("/console/runbook", get(async || answer("text/html; charset=utf-8", page::runbooks())))
        .route("/console/console.css", get(async || answer("text/css; charset=utf-8", STYLE)))
        .route("/console/console.js", get(async || answer("text/javascript; charset=utf-8", SCRIPT)))
        .with_state(console)
}

/// Returns true if the console serves this path.
pub fn is_path(path: &str) -> bool {
    path.strip_prefix(PATH).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

async fn page(State(console): State<Arc<Console>>) -> Response {
    answer("text/html; charset=utf-8", page::page(&console.snapshot()))
}

async fn view(State(console): State<Arc<Console>>) -> Response {
    json(&page::view(&console.snapshot()))
}

async fn snapshot(State(console): State<Arc<Console>>) -> Response {
    json(&console.snapshot())
}

fn json(body: &impl Serialize) -> Response {
    let Ok(text) = serde_json::to_vec(body) else {
        let message = "The snapshot could not be written";
        return Problem::new(ErrorCode::InternalError, message).into_response();
    };
    with_security_headers(json_body::response(text))
}

fn answer(content_type: &'static str, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    with_security_headers(response)
}

fn with_security_headers(mut response: Response) -> Response {
    let headers: [(HeaderName, &'static str); 4] = [
        (CONTENT_SECURITY_POLICY, CONTENT_POLICY),
        (REFERRER_POLICY, "no-referrer"),
        // No page of another origin may embed this one.
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ];
    let response_headers: &mut HeaderMap = response.headers_mut();
    for (name, value) in headers {
        response_headers.insert(name, HeaderValue::from_static(value));
    }
    response
}
