//! Responses with a JSON body.

use super::held_reply::HeldReply;
use crate::types::HeldReplyMemory;
use axum::{
    body::Body,
    http::{HeaderValue, Response, header::CONTENT_TYPE},
};

/// Returns HTTP 200 with this JSON, as [`response`] does. The memory is held until the last byte was sent.
pub fn held_response(mut body: Vec<u8>, memory: HeldReplyMemory) -> axum::response::Response {
    body.push(b'\n');
    let (body, pending) = HeldReply::new(body, memory);
    let mut response = json(Body::new(body));
    response.extensions_mut().insert(pending);
    response
}

/// Returns HTTP 200 with this JSON, and a line end for people at a terminal.
pub fn response(mut body: Vec<u8>) -> axum::response::Response {
    body.push(b'\n');
    json(Body::from(body))
}

fn json(body: Body) -> axum::response::Response {
    let mut response = Response::new(body);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
