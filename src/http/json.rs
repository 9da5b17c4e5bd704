//! Responses with a JSON body, which no cache may store.

use super::{header_values::NO_STORE, held_reply::HeldReply};
use crate::types::HeldReplyMemory;
use axum::{
    body::Body,
    http::{
        HeaderMap, HeaderValue, Response,
        header::{CACHE_CONTROL, CONTENT_TYPE},
    },
};

/// Number of fields that the head of a response has room for: those of a reply, and those that the service and hyper add. The
/// memory for them is allocated once.
const FIELDS: usize = 10;

/// Returns HTTP 200 with this line of JSON. The memory is held until the last byte was sent.
pub fn held_line(body: Vec<u8>, memory: HeldReplyMemory) -> axum::response::Response {
    let (body, pending) = HeldReply::new(body, memory);
    let mut response = json(Body::new(body));
    response.extensions_mut().insert(pending);
    response
}

/// Returns HTTP 200 with this JSON, and a line end for people at a terminal.
pub fn response(mut body: Vec<u8>) -> axum::response::Response {
    body.push(b'\n');
    line(body)
}

/// Returns HTTP 200 with this line of JSON.
pub fn line(body: Vec<u8>) -> axum::response::Response {
    json(Body::from(body))
}

fn json(body: Body) -> axum::response::Response {
    let mut headers = HeaderMap::with_capacity(FIELDS);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, NO_STORE);
    let mut response = Response::new(body);
    *response.headers_mut() = headers;
    response
}
