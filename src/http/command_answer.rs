//! The answer to a request for commands, before it becomes a response: of hyper, or of the lane.

use super::{json, problem::Problem, sync_token_header};
use crate::types::HeldReplyMemory;
use axum::{
    http::{HeaderMap, HeaderValue, StatusCode},
    response::{IntoResponse, Response},
};

/// JSON, and the memory of a large one, which is held until its last byte was sent.
pub struct Json {
    /// The bytes of the JSON.
    pub bytes: Vec<u8>,
    /// The memory, if the JSON is large.
    pub memory: Option<HeldReplyMemory>,
}

/// The answer to a request for commands. Its body is JSON.
pub struct CommandAnswer {
    /// The status of the response.
    pub status: StatusCode,
    /// The fields that only some problems have.
    pub fields: HeaderMap,
    /// The body, with a line end for people at a terminal.
    pub body: Json,
    /// The sync token.
    pub sync_token: HeaderValue,
}

impl CommandAnswer {
    /// Creates the answer with this result.
    pub fn new(result: Result<Json, Problem>, sync_token: HeaderValue) -> Self {
        let (status, fields, mut body) = match result {
            Ok(body) => (StatusCode::OK, HeaderMap::new(), body),
            Err(problem) => {
                let (bytes, memory) = (problem.to_json(), None);
                (problem.code().status(), problem.fields(), Json { bytes, memory })
            }
        };
        body.bytes.push(b'\n');
        Self { status, fields, body, sync_token }
    }
}

impl IntoResponse for CommandAnswer {
    fn into_response(self) -> Response {
        let Self { status, fields, body: Json { bytes, memory }, sync_token } = self;
        let mut response = match memory {
            None => json::line(bytes),
            Some(memory) => json::held_line(bytes, memory),
        };
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.extend(fields);
        headers.insert(sync_token_header::NAME, sync_token);
        response
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = json::response(self.to_json());
        *response.status_mut() = self.code().status();
        response.headers_mut().extend(self.fields());
        // The service around the handler counts it.
        response.extensions_mut().insert(self.code());
        response
    }
}
