//! The response to a request in the lane, as bytes.

use crate::types::HeldReplyMemory;
use axum::{
    body::Body,
    http::{
        HeaderMap, StatusCode,
        header::{CONNECTION, CONTENT_LENGTH},
    },
    response::Response,
};
use http_body_util::BodyExt;
use httpdate::HttpDate;
use std::{cell::RefCell, time::SystemTime};

/// Room for the head of a response.
const HEAD_BYTES: usize = 448;

thread_local! {
    /// The field `Date` of this second.
    static DATE: RefCell<DateField> = RefCell::default();
}

/// The field `Date` of one second.
#[derive(Default)]
struct DateField {
    second: u64,
    line: Vec<u8>,
}

/// A response, ready to be sent.
pub struct LaneReply {
    /// The head, and the body if it is small.
    pub bytes: Vec<u8>,
    /// The body if it is large.
    pub large: Option<LargeBody>,
    /// The connection ends after this response.
    pub is_last: bool,
}

/// A large body, which holds its memory until its last byte was sent.
pub struct LargeBody {
    /// The bytes of the body.
    pub bytes: Vec<u8>,
    /// Their memory.
    pub memory: HeldReplyMemory,
}

/// Writes the head of a response, in the order and in the form that hyper gives it.
pub struct ReplyFields(Vec<u8>);

impl ReplyFields {
    /// Begins a head, with room for a body of this length.
    pub fn new(status: StatusCode, body_room: usize) -> Self {
        let mut bytes = Vec::with_capacity(HEAD_BYTES + body_room);
        if status == StatusCode::OK {
            bytes.extend_from_slice(b"HTTP/1.1 200 OK\r\n");
        } else {
            bytes.extend_from_slice(b"HTTP/1.1 ");
            bytes.extend_from_slice(status.as_str().as_bytes());
            bytes.push(b' ');
            bytes.extend_from_slice(status.canonical_reason().unwrap_or("<none>").as_bytes());
            bytes.extend_from_slice(b"\r\n");
        }
        Self(bytes)
    }

    /// Writes lines that are complete.
    pub fn lines(&mut self, lines: &[u8]) {
        self.0.extend_from_slice(lines);
    }

    /// Writes a field.
    pub fn field(&mut self, name: &str, value: &[u8]) {
        self.0.extend_from_slice(name.as_bytes());
        self.0.extend_from_slice(b": ");
        self.0.extend_from_slice(value);
        self.0.extend_from_slice(b"\r\n");
    }

    /// Writes fields.
    pub fn fields(&mut self, fields: &HeaderMap) {
        for (name, value) in fields {
            self.field(name.as_str(), value.as_bytes());
        }
    }

    /// Ends the head of a response whose body has this length.
    pub fn end(mut self, body_bytes: usize) -> Vec<u8> {
        self.field("content-length", itoa::Buffer::new().format(body_bytes).as_bytes());
        append_date(&mut self.0, SystemTime::now());
        self.0.extend_from_slice(b"\r\n");
        self.0
    }
}

impl LaneReply {
    /// Creates the response with a body whose memory is held if it is large.
    pub fn new(fields: ReplyFields, body: Vec<u8>, memory: Option<HeldReplyMemory>, is_last: bool) -> Self {
        let mut bytes = fields.end(body.len());
        let Some(memory) = memory else {
            bytes.extend_from_slice(&body);
            return Self { bytes, large: None, is_last };
        };
        Self { bytes, large: Some(LargeBody { bytes: body, memory }), is_last }
    }

    /// Creates the response that a service of hyper returned. `None` if its body cannot be read.
    pub async fn from_response(response: Response) -> Option<Self> {
        let (parts, body) = response.into_parts();
        let body = Body::collect(body).await.ok()?.to_bytes();
        let mut fields = ReplyFields::new(parts.status, body.len());
        // Routers write the length, too.
        for (name, value) in parts.headers.iter().filter(|(name, _)| **name != CONTENT_LENGTH) {
            fields.field(name.as_str(), value.as_bytes());
        }
        let mut bytes = fields.end(body.len());
        bytes.extend_from_slice(&body);
        Some(Self { bytes, large: None, is_last: parts.headers.contains_key(CONNECTION) })
    }
}

/// Appends the field `Date`. It is made once a second for each worker.
fn append_date(out: &mut Vec<u8>, now: SystemTime) {
    let second = now.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
    DATE.with_borrow_mut(|date| {
        if date.second != second || date.line.is_empty() {
            date.second = second;
            date.line = format!("date: {}\r\n", HttpDate::from(now)).into_bytes();
        }
        out.extend_from_slice(&date.line);
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn the_date_is_that_of_the_second() {
        for (second, text) in [(0, "Thu, 01 Jan 1970 00:00:00 GMT"), (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT")] {
            let mut out = Vec::new();
            append_date(&mut out, SystemTime::UNIX_EPOCH + Duration::from_secs(second));
            assert_eq!(out, format!("date: {text}\r\n").into_bytes());
        }
    }
}
