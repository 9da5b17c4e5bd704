//! `GET /metrics`: all counters, and the present state.

use crate::{
    http::{AppState, ErrorCode, Problem},
    telemetry::metrics::{Exposition, write_process},
};
use axum::{
    Router,
    body::Body,
    http::{
        HeaderMap, HeaderValue,
        header::{ACCEPT, CONTENT_TYPE, VARY},
    },
    response::{IntoResponse, Response},
    routing::get,
};
use std::sync::Arc;

/// The path of this endpoint.
pub const PATH: &str = "/metrics";
const OPEN_METRICS: &str = "application/openmetrics-text";
const OPEN_METRICS_TYPE: HeaderValue =
    HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");
const PLAIN_TYPE: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");

/// Returns the route of the metrics.
pub fn routes(state: &Arc<AppState>) -> Router<Arc<AppState>> {
    let exposition = Arc::new(exposition(state));
    Router::new().route(PATH, get(async move |headers: HeaderMap| answer(&exposition, &headers)))
}

/// Collects the parts that write metrics. A new part is added here.
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
    headers.insert(VARY, HeaderValue::from_static("accept"));
    response
}

/// Returns true if the client names the OpenMetrics format. Others get the older format, which every client reads.
fn accepts_open_metrics(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    accepted.flat_map(|value| value.split(',')).any(|range| {
        let mut parts = range.split(';').map(str::trim);
        let is_named = parts.next().is_some_and(|media_type| media_type.eq_ignore_ascii_case(OPEN_METRICS));
        is_named && !parts.any(has_no_weight)
    })
}

/// Returns true if a parameter refuses its media type: `q=0` (RFC 9110 §12.4.2).
fn has_no_weight(parameter: &str) -> bool {
    parameter.strip_prefix("q=").is_some_and(|weight| weight.parse::<f32>().is_ok_and(|weight| weight <= 0.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepts(value: &'static str) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static(value));
        accepts_open_metrics(&headers)
    }

    #[test]
    fn open_metrics_is_written_only_for_clients_that_name_it() {
        assert!(accepts("application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"));
        assert!(accepts("text/plain, Application/OpenMetrics-Text; version=0.0.1"));
        assert!(!accepts("*/*") && !accepts("text/plain") && !accepts("application/openmetrics-text;q=0"));
        assert!(!accepts_open_metrics(&HeaderMap::new()));
    }
}
