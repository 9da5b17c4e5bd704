//! `GET /metrics`, on the admin port: everything that is counted, and how things are now.

use crate::{
    http::{AppState, ErrorCode, Problem},
    telemetry::metrics::{Exposition, write_process},
};
use axum::{
    Router,
    body::Body,
    http::{
        HeaderMap, HeaderValue,
        header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE, VARY},
    },
    response::{IntoResponse, Response},
    routing::get,
};
use std::sync::Arc;

pub const PATH: &str = "/metrics";
const OPEN_METRICS: &str = "application/openmetrics-text";
const OPEN_METRICS_TYPE: HeaderValue =
    HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");
const PLAIN_TYPE: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");

/// The path, for a port that strangers do not reach.
pub fn routes(state: &Arc<AppState>) -> Router<Arc<AppState>> {
    let exposition = Arc::new(exposition(state));
    Router::new().route(PATH, get(async move |headers: HeaderMap| answer(&exposition, &headers)))
}

/// All that is shown. What else there is to show is added here.
fn exposition(state: &Arc<AppState>) -> Exposition {
    let mut exposition = Exposition::default();
    let (metrics, store, state) = (Arc::clone(&state.metrics), state.store.clone(), Arc::clone(state));
    exposition.add(move |page| metrics.write(page));
    exposition.add(move |page| state.write_metrics(page));
    exposition.add(move |page| store.write_metrics(page));
    exposition.add(write_process);
    exposition
}

fn answer(exposition: &Exposition, headers: &HeaderMap) -> Response {
    let (text, content_type) = if accepts_open_metrics(headers) {
        (exposition.open_metrics(), OPEN_METRICS_TYPE)
    } else {
        (exposition.plain(), PLAIN_TYPE)
    };
    let Ok(text) = text else {
        let message = "The metrics could not be written";
        return Problem::new(ErrorCode::InternalError, message).into_response();
    };
    let mut response = Response::new(Body::from(text));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, content_type);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(VARY, HeaderValue::from_static("accept"));
    response
}

/// Whoever does not name the format gets the older one, which everybody reads.
fn accepts_open_metrics(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    accepted.flat_map(|value| value.split(',')).any(|range| {
        let mut parts = range.split(';').map(str::trim);
        let is_named = parts.next().is_some_and(|media| media.eq_ignore_ascii_case(OPEN_METRICS));
        let is_refused = |part: &str| part.strip_prefix("q=").is_some_and(|q| q.parse::<f32>().is_ok_and(|q| q <= 0.0));
        is_named && !parts.any(is_refused)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_format_is_the_one_that_was_named() {
        let accepts = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT, HeaderValue::from_static(value));
            accepts_open_metrics(&headers)
        };
        assert!(accepts("application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"));
        assert!(accepts("text/plain, Application/OpenMetrics-Text; version=0.0.1"));
        assert!(!accepts("*/*") && !accepts("text/plain") && !accepts("application/openmetrics-text;q=0"));
        assert!(!accepts_open_metrics(&HeaderMap::new()));
    }
}
