//! Request bodies: their media type, their size, and the time that they may take.

use super::{
    error_code::ErrorCode,
    problem::Problem,
    resource_limit::{Permit, ResourceLimit},
};
use axum::{
    body::Body,
    http::{
        HeaderMap,
        header::{CONTENT_LENGTH, CONTENT_TYPE, EXPECT},
    },
};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use std::time::Duration;
use tokio::time::timeout;

/// Maximum time in which a body has to arrive.
const READ_TIMEOUT: Duration = Duration::from_secs(30);
/// Limits on reading a refused body to its end. Most clients read the response only after they have sent everything;
/// closing the connection earlier would cost them the response.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);
const DRAIN_BYTES_MAX: usize = 256 * 1024 * 1024;

/// The media type of a body.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum MediaType {
    /// JSON, also for a body without a media type.
    Json,
    /// An HTML form.
    Form,
    /// A media type that no endpoint takes.
    Other,
}

impl MediaType {
    /// Returns the media type in the headers of a request.
    pub fn of(headers: &HeaderMap) -> Self {
        let Some(value) = headers.get(CONTENT_TYPE) else { return Self::Json };
        let media_type = value.to_str().unwrap_or_default().split(';').next().unwrap_or_default();
        match media_type.trim().to_ascii_lowercase().as_str() {
            "" | "application/json" => Self::Json,
            "application/x-www-form-urlencoded" => Self::Form,
            other if other.starts_with("application/") && other.ends_with("+json") => Self::Json,
            _ => Self::Other,
        }
    }
}

/// Returns the problem of a body with a media type that the endpoint does not take.
pub fn unsupported_media_type() -> Problem {
    Problem::new(
        ErrorCode::UnsupportedMediaType,
        "Send JSON, and say so with the header \"Content-Type: application/json\"",
    )
}

/// A whole body, and the permit for its memory.
pub struct BufferedBody<'b> {
    /// The bytes of the body.
    pub bytes: Bytes,
    _memory: Permit<'b>,
}

/// The limits on bodies.
pub struct BodyLimits<'b> {
    /// Maximum size of one body in bytes.
    pub bytes_max: usize,
    /// The memory of all bodies together.
    pub memory: &'b ResourceLimit,
    /// Maximum size of all bodies together in bytes.
    pub memory_bytes_max: usize,
}

/// Reads a whole body.
pub async fn read<'b>(headers: &HeaderMap, body: Body, limits: &BodyLimits<'b>) -> Result<BufferedBody<'b>, Problem> {
    let announced = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok()).unwrap_or(0);
    if announced > limits.bytes_max {
        Box::pin(discard(headers, body)).await;
        return Err(too_large(limits.bytes_max));
    }
    timeout(READ_TIMEOUT, buffer(body, limits)).await.unwrap_or_else(|_| {
        Err(Problem::new(ErrorCode::BodyTimeout, "The body did not arrive within 30 s: send the request again"))
    })
}

async fn buffer<'b>(mut body: Body, limits: &BodyLimits<'b>) -> Result<BufferedBody<'b>, Problem> {
    let mut first = Bytes::new();
    let mut all = BytesMut::new();
    let mut memory = limits.memory.permit();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| {
            Problem::new(ErrorCode::BodyUnreadable, "The body could not be read to its end: send the request again")
        })?;
        let Ok(data) = frame.into_data() else { continue };
        let length = first.len() + all.len() + data.len();
        let refused = if length > limits.bytes_max {
            Some(too_large(limits.bytes_max))
        } else {
            memory.reserve(length, limits.memory_bytes_max).err()
        };
        if let Some(problem) = refused {
            // A refused body takes no memory from others while the rest of it arrives.
            drop((first, all, data, memory));
            Box::pin(drain(body)).await;
            return Err(problem);
        }
        // Most bodies are one frame, which is passed on without copying it.
        if first.is_empty() && all.is_empty() {
            first = data;
        } else {
            all.extend_from_slice(&std::mem::take(&mut first));
            all.extend_from_slice(&data);
        }
    }
    Ok(BufferedBody { bytes: if all.is_empty() { first } else { all.freeze() }, _memory: memory })
}

/// Reads and drops a body that the response does not depend on, so that its sender gets to read the response.
pub async fn discard(headers: &HeaderMap, body: Body) {
    // A client that sends `Expect` has not sent the body yet, and need not send it.
    if !headers.contains_key(EXPECT) {
        drain(body).await;
    }
}

async fn drain(mut body: Body) {
    let read_to_end = async {
        let mut bytes = 0;
        while let Some(Ok(frame)) = body.frame().await {
            bytes += frame.data_ref().map_or(0, Bytes::len);
            if bytes > DRAIN_BYTES_MAX {
                break;
            }
        }
    };
    // The response is the same whether the body ended or the time.
    let _finished = timeout(DRAIN_TIMEOUT, read_to_end).await;
}

fn too_large(bytes_max: usize) -> Problem {
    Problem::new(ErrorCode::BodyTooLarge, format!("The body may have at most {bytes_max} bytes"))
}
