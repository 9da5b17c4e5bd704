//! Answers for paths and methods that there are not.

use super::problem::Problem;
use axum::http::{StatusCode, Uri};

pub async fn not_found() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "unknown_path", "There is nothing at this path; /docs shows what there is")
}

pub async fn method_not_allowed(uri: Uri) -> Problem {
    Problem::method_not_allowed(match uri.path() {
        "/login" | "/cache" => "POST",
        _ => "GET, HEAD",
    })
}
