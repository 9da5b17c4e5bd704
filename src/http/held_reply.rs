//! The body of a large reply, which holds its memory until its last byte was handed to the system.

use super::connection::{ClientConnection, PendingReply};
use crate::types::HeldReplyMemory;
use axum::{body::HttpBody, response::Response};
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use std::{
    convert::Infallible,
    pin::Pin,
    sync::{Arc, OnceLock},
    task::{Context, Poll},
};

/// Bytes that are handed over at once. A client that takes nothing of a reply leaves the rest here.
const PIECE_BYTES: usize = 64 * 1024;

/// The bytes of a reply with their memory, which is released with the last piece of them.
struct HeldBytes {
    bytes: Vec<u8>,
    _memory: HeldReplyMemory,
}

impl AsRef<[u8]> for HeldBytes {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// The record of a pending reply at its connection, made when the connection is known.
#[derive(Clone, Default)]
pub struct PendingReplySlot(Arc<OnceLock<PendingReply>>);

impl PendingReplySlot {
    /// Records the reply of this response, if it is large, as pending at its connection.
    pub fn record(response: &mut Response, connection: &Arc<ClientConnection>) {
        if let Some(Self(slot)) = response.extensions_mut().remove() {
            slot.get_or_init(|| PendingReply::new(Arc::clone(connection)));
        }
    }
}

/// The body of a large reply.
pub struct HeldReply {
    rest: Bytes,
    pending: PendingReplySlot,
}

impl HeldReply {
    /// Creates the body of a reply. The slot belongs into the extensions of the response.
    pub fn new(bytes: Vec<u8>, memory: HeldReplyMemory) -> (Self, PendingReplySlot) {
        let pending = PendingReplySlot::default();
        let rest = Bytes::from_owner(HeldBytes { bytes, _memory: memory });
        (Self { rest, pending: pending.clone() }, pending)
    }
}

impl HttpBody for HeldReply {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if let Some(pending) = self.pending.0.get() {
            // The server asks for the next piece when the client has taken most of the one before.
            pending.advance();
        }
        if self.rest.is_empty() {
            return Poll::Ready(None);
        }
        let bytes = self.rest.len().min(PIECE_BYTES);
        Poll::Ready(Some(Ok(Frame::data(self.rest.split_to(bytes)))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.rest.len() as u64)
    }
}
