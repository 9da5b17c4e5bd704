//! Request bodies: their media type, their size, and the time that they may take.

use super::{
    body_memory::BodyPermit,
    error_code::ErrorCode,
    head_fields::{HeadFields, visible},
    problem::Problem,
    unfinished_logins::UnfinishedLogins,
};
use axum::{
    body::Body,
    http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, EXPECT},
};
use bytes::{Bytes, BytesMut};
use futures_util::poll;
use http_body_util::BodyExt;
use std::{pin::pin, task::Poll, time::Duration};
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
    /// A body that is compressed, which no endpoint takes.
    Encoded,
}

impl MediaType {
    /// Returns the media type in the headers of a request.
    pub fn of(fields: &impl HeadFields) -> Self {
        if fields.values(&CONTENT_ENCODING).any(|coding| !coding.eq_ignore_ascii_case(b"identity")) {
            return Self::Encoded;
        }
        let Some(value) = fields.value(&CONTENT_TYPE) else { return Self::Json };
        // Nearly all requests end here.
        if value.eq_ignore_ascii_case(b"application/json") {
            return Self::Json;
        }
        let media_type = visible(value).unwrap_or_default().split(';').next().unwrap_or_default();
        match media_type.trim().to_ascii_lowercase().as_str() {
            "" | "application/json" => Self::Json,
            "application/x-www-form-urlencoded" => Self::Form,
            other if other.starts_with("application/") && other.ends_with("+json") => Self::Json,
            _ => Self::Other,
        }
    }
}

/// Returns the problem of a body with a media type that the endpoint does not take.
pub fn unsupported(media_type: MediaType) -> Problem {
    match media_type {
        MediaType::Encoded => Problem::new(
            ErrorCode::UnsupportedContentEncoding,
            "Send the body as it is, without Content-Encoding: compressed bodies are not accepted",
        ),
        MediaType::Json | MediaType::Form | MediaType::Other => Problem::new(
            ErrorCode::UnsupportedMediaType,
            "Send JSON, and say so with the header \"Content-Type: application/json\"",
        ),
    }
}

/// The facts about a body in the head of its request. They are kept in place of the head, whose fields would take
/// memory for as long as the body takes to arrive.
#[derive(Clone, Copy)]
pub struct BodyHead {
    /// The announced size in bytes; 0 if it is not announced.
    announced: usize,
    /// The client has not sent the body yet (`Expect: 100-continue`), and need not send one that is refused.
    is_awaited: bool,
}

impl BodyHead {
    /// Reads the facts about a body in the head of its request.
    pub fn of(fields: &impl HeadFields) -> Self {
        let announced = fields.text(&CONTENT_LENGTH).and_then(|text| text.parse().ok());
        Self { announced: announced.unwrap_or(0), is_awaited: fields.value(&EXPECT).is_some() }
    }
}

/// The body of a request whose head was read. It is read to its end, or refused.
pub trait RequestBody: Send {
    /// The bytes of the whole body.
    type Bytes: AsRef<[u8]> + Send;

    /// Reads the whole body of a command within its memory. The memory is held with the bytes.
    fn read(
        self,
        bytes_max: usize,
        memory: BodyPermit<'_>,
    ) -> impl Future<Output = Result<BufferedBody<'_, Self::Bytes>, Problem>> + Send;

    /// Reads and drops a body that the response does not depend on, so that its sender gets to read the response.
    fn discard(self) -> impl Future<Output = ()> + Send;
}

/// A whole body, and the permit for its memory.
pub struct BufferedBody<'b, B> {
    /// The bytes of the body.
    pub bytes: B,
    _memory: BodyPermit<'b>,
}

impl<'b, B> BufferedBody<'b, B> {
    /// Keeps a body with the permit for its memory.
    pub fn new(bytes: B, memory: BodyPermit<'b>) -> Self {
        Self { bytes, _memory: memory }
    }
}

/// A body that hyper receives.
pub struct IncomingBody {
    /// The facts about the body in the head of its request.
    pub head: BodyHead,
    /// The body, or the rest of it.
    pub body: Body,
}

impl RequestBody for IncomingBody {
    type Bytes = Bytes;

    async fn read(self, bytes_max: usize, mut memory: BodyPermit<'_>) -> Result<BufferedBody<'_, Bytes>, Problem> {
        let body = refuse_announced(self.head, self.body, bytes_max).await?;
        let bytes = within_time(buffer(body, bytes_max, Some(&mut memory))).await?;
        Ok(BufferedBody::new(bytes, memory))
    }

    async fn discard(self) {
        Box::pin(discard(self.head, self.body)).await;
    }
}

/// Reads the whole body of a login.
///
/// A body that is there as a whole takes no place among the unfinished ones, so those cannot prevent a login.
pub async fn read_login(
    head: BodyHead,
    body: Body,
    bytes_max: usize,
    unfinished: &UnfinishedLogins,
) -> Result<Bytes, Problem> {
    let body = refuse_announced(head, body, bytes_max).await?;
    let mut reading = pin!(buffer(body, bytes_max, None));
    if let Poll::Ready(read) = poll!(reading.as_mut()) {
        return read;
    }
    let mut place = unfinished.enter();
    tokio::select! {
        read = within_time(reading) => read,
        () = place.displaced() => Err(Problem::busy()),
    }
}

/// Refuses a body that is announced to be too large.
async fn refuse_announced(head: BodyHead, body: Body, bytes_max: usize) -> Result<Body, Problem> {
    if head.announced > bytes_max {
        Box::pin(discard(head, body)).await;
        return Err(too_large(bytes_max));
    }
    Ok(body)
}

async fn within_time(reading: impl Future<Output = Result<Bytes, Problem>>) -> Result<Bytes, Problem> {
    timeout(READ_TIMEOUT, reading).await.unwrap_or_else(|_| {
        Err(Problem::new(ErrorCode::BodyTimeout, "The body did not arrive within 30 s: send the request again"))
    })
}

/// Collects the frames of a body. `memory` is reserved for those that have arrived.
async fn buffer(mut body: Body, bytes_max: usize, mut memory: Option<&mut BodyPermit<'_>>) -> Result<Bytes, Problem> {
    let mut frames = Frames::default();
    loop {
        match frames.add_next(&mut body, bytes_max, memory.as_deref_mut()).await {
            Ok(true) => {}
            Ok(false) => return Ok(frames.into_bytes()),
            Err(problem) => {
                // A refused body takes no memory from others while the rest of it arrives.
                drop(frames);
                memory.into_iter().for_each(BodyPermit::release);
                Box::pin(drain(body)).await;
                return Err(problem);
            }
        }
    }
}

/// The frames of a body that have arrived. Most bodies are one frame, which is passed on without copying it.
#[derive(Default)]
struct Frames {
    /// The only frame.
    first: Bytes,
    /// A copy of all frames, where there are several.
    all: BytesMut,
}

impl Frames {
    /// Adds the next frame; returns false at the end of the body.
    async fn add_next(
        &mut self,
        body: &mut Body,
        bytes_max: usize,
        memory: Option<&mut BodyPermit<'_>>,
    ) -> Result<bool, Problem> {
        let mut memory = memory;
        let frame = match poll!(body.frame()) {
            Poll::Ready(frame) => frame,
            Poll::Pending => {
                // A small frame can be a part of a large buffer of the connection, which would be kept with it.
                self.copy_first();
                memory.as_mut().map_or(Ok(()), |memory| memory.wait())?;
                body.frame().await
            }
        };
        let Some(frame) = frame else { return Ok(false) };
        let frame = frame.map_err(|_| {
            Problem::new(ErrorCode::BodyUnreadable, "The body could not be read to its end: send the request again")
        })?;
        let Ok(data) = frame.into_data() else { return Ok(true) };
        let length = self.first.len() + self.all.len() + data.len();
        if length > bytes_max {
            return Err(too_large(bytes_max));
        }
        memory.as_mut().map_or(Ok(()), |memory| memory.reserve(length))?;
        if length == data.len() {
            self.first = data;
        } else {
            self.copy_first();
            self.all.extend_from_slice(&data);
        }
        Ok(true)
    }

    fn copy_first(&mut self) {
        self.all.extend_from_slice(&std::mem::take(&mut self.first));
    }

    fn into_bytes(self) -> Bytes {
        if self.all.is_empty() { self.first } else { self.all.freeze() }
    }
}

/// Reads and drops a body that the response does not depend on, so that its sender gets to read the response.
pub async fn discard(head: BodyHead, body: Body) {
    if !head.is_awaited {
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

/// Returns the problem of a body that exceeds this limit.
pub fn too_large(bytes_max: usize) -> Problem {
    Problem::new(ErrorCode::BodyTooLarge, format!("The body may have at most {bytes_max} bytes"))
}
