//! Answers to paths that do not exist and to methods that a path does not take.

use super::{
    body::{self, BodyHead},
    error_code::ErrorCode,
    problem::Problem,
};
use axum::extract::Request;

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

async fn discard(request: Request) {
    let (head, body) = (BodyHead::of(request.headers()), request.into_body());
    body::discard(head, body).await;
}
