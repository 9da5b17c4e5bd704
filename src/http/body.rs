//! Request bodies: their type, their size, and how long they may take to come.

use super::{
    limit::{Permit, ResourceLimit},
    problem::Problem,
};
use axum::{
    body::Body,
    http::{
        HeaderMap, StatusCode,
        header::{CONTENT_LENGTH, CONTENT_TYPE, EXPECT},
    },
};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use std::time::Duration;
use tokio::time::timeout;

/// How long a body may take to arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);
/// A body that is not wanted is read on for so long and so far, because most clients only look for the answer once
/// they have sent everything; closing the connection on them would cost them the answer.
const LINGER_TIMEOUT: Duration = Duration::from_secs(5);
const LINGER_BYTES_MAX: usize = 256 * 1024 * 1024;

/// The media types that bodies come in.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Media {
    Json,
    Form,
    Other,
}

/// What the caller says the body is; without a word, JSON.
pub fn media(headers: &HeaderMap) -> Media {
    let Some(value) = headers.get(CONTENT_TYPE) else { return Media::Json };
    let essence = value.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match essence.as_str() {
        "" | "application/json" => Media::Json,
        "application/x-www-form-urlencoded" => Media::Form,
        other if other.starts_with("application/") && other.ends_with("+json") => Media::Json,
        _ => Media::Other,
    }
}

pub fn unsupported_media() -> Problem {
    Problem::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "unsupported_media_type",
        "Send JSON, and say so with the header \"Content-Type: application/json\"",
    )
}

/// A body, and its share of the memory for bodies.
pub struct BufferedBody<'b> {
    pub bytes: Bytes,
    _memory: Permit<'b>,
}

/// What bodies may take: each of them, and all together.
pub struct BodyLimits<'b> {
    pub bytes_max: usize,
    pub memory: &'b ResourceLimit,
    pub memory_bytes_max: usize,
}

/// Reads a whole body.
pub async fn read<'b>(headers: &HeaderMap, body: Body, limits: &BodyLimits<'b>) -> Result<BufferedBody<'b>, Problem> {
    let announced = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok()).unwrap_or(0);
    if announced > limits.bytes_max {
        Box::pin(discard(headers, body)).await;
        return Err(too_large(limits.bytes_max));
    }
    let late = || Problem::new(StatusCode::REQUEST_TIMEOUT, "body_timeout", "The body did not arrive in time");
    timeout(BODY_TIMEOUT, collect(body, limits)).await.unwrap_or_else(|_| Err(late()))
}

async fn collect<'b>(mut body: Body, limits: &BodyLimits<'b>) -> Result<BufferedBody<'b>, Problem> {
    let mut first = Bytes::new();
    let mut all = BytesMut::new();
    let mut memory = limits.memory.permit();
    while let Some(frame) = body.frame().await {
        let frame =
            frame.map_err(|_| Problem::bad_request("body_unreadable", "The body could not be read to its end"))?;
        let Ok(data) = frame.into_data() else { continue };
        let length = first.len() + all.len() + data.len();
        let refused = if length > limits.bytes_max {
            Some(too_large(limits.bytes_max))
        } else {
            memory.reserve(length, limits.memory_bytes_max).err()
        };
        if let Some(problem) = refused {
            // What is not wanted takes no memory from others while the rest of it comes.
            drop((first, all, data, memory));
            Box::pin(drain(body)).await;
            return Err(problem);
        }
        // Most bodies are one piece, which is passed on as it is.
        if first.is_empty() && all.is_empty() {
            first = data;
        } else {
            all.extend_from_slice(&std::mem::take(&mut first));
            all.extend_from_slice(&data);
        }
    }
    Ok(BufferedBody { bytes: if all.is_empty() { first } else { all.freeze() }, _memory: memory })
}

/// Reads and forgets a body that no answer depends on, so that its sender gets to read the answer.
pub async fn discard(headers: &HeaderMap, body: Body) {
    // A client that asked first has not sent anything yet, and need not.
    if !headers.contains_key(EXPECT) {
        drain(body).await;
    }
}

async fn drain(mut body: Body) {
    let read_on = async {
        let mut bytes = 0;
        while let Some(Ok(frame)) = body.frame().await {
            bytes += frame.data_ref().map_or(0, Bytes::len);
            if bytes > LINGER_BYTES_MAX {
                break;
            }
        }
    };
    // Whatever came of it, the answer is the same.
    let _finished = timeout(LINGER_TIMEOUT, read_on).await;
}

fn too_large(bytes_max: usize) -> Problem {
    let message = format!("The body may have at most {bytes_max} bytes");
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", message)
}
