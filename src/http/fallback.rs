//! Answers to requests that no endpoint takes: to paths that do not exist, to methods that a path does not take, and to plain
//! HTTP on the HTTPS port.

use super::{
    body::{self, BodyHead},
    error_code::ErrorCode,
    header_values::NO_SNIFFING,
    problem::Problem,
    request_id::RequestId,
};
use axum::{
    extract::Request,
    http::header::X_CONTENT_TYPE_OPTIONS,
    response::{IntoResponse, Response},
};

/// Answers a request to a path that does not exist. `advice` tells which paths exist.
pub async fn not_found(request: Request, advice: &str) -> Problem {
    discard(request).await;
    Problem::new(ErrorCode::UnknownPath, format!("This path does not exist: {advice}"))
}

/// Answers a request with a method that its path does not take. `methods` are those that it takes.
pub async fn method_not_allowed(request: Request, methods: &'static str) -> Problem {
    discard(request).await;
    Problem::method_not_allowed(methods)
}

/// Answers a request in plain HTTP to the port that speaks HTTPS.
pub async fn https_required(request: Request) -> Response {
    let id = RequestId::of(request.headers());
    discard(request).await;
    let message = "This port speaks HTTPS: use https:// in place of http://; what was sent was not encrypted";
    let mut response = Problem::new(ErrorCode::HttpsRequired, message).into_response();
    id.write(response.headers_mut());
    response.headers_mut().insert(X_CONTENT_TYPE_OPTIONS, NO_SNIFFING);
    response
}

async fn discard(request: Request) {
    let (head, body) = (BodyHead::of(request.headers()), request.into_body());
    body::discard(head, body).await;
}
