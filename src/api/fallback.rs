//! Answers for paths and methods that there are not.

use super::{body, problem::Problem};
use axum::{extract::Request, http::StatusCode};

pub async fn not_found(request: Request) -> Problem {
    discard(request).await;
    Problem::new(StatusCode::NOT_FOUND, "unknown_path", "There is nothing at this path; /docs shows what there is")
}

pub async fn method_not_allowed(request: Request) -> Problem {
    let allow = match request.uri().path() {
        "/login" | "/cache" => "POST",
        _ => "GET, HEAD",
    };
    discard(request).await;
    Problem::method_not_allowed(allow)
}

async fn discard(request: Request) {
    let (parts, body) = request.into_parts();
    body::discard(&parts.headers, body).await;
}
