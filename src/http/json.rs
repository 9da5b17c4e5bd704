//! Responses with a JSON body.

use axum::{
    body::Body,
    http::{HeaderValue, Response, header::CONTENT_TYPE},
};

/// Returns HTTP 200 with this JSON, and a line end for people at a terminal.
pub fn response(mut body: Vec<u8>) -> axum::response::Response {
    body.push(b'\n');
    let mut response = Response::new(Body::from(body));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
