//! The bytes that a connection has sent and that no request has used up.

use std::{
    io,
    mem::{self, MaybeUninit},
    pin::Pin,
    task::{Context, Poll, ready},
};
use tokio::io::{AsyncRead, ReadBuf};

/// Bytes that are read at once.
pub const READ_BYTES: usize = 16 * 1024;
/// Room that is kept while there are no bytes.
const KEPT_BYTES: usize = 4 * 1024;

/// The bytes that a connection has sent. Those of answered requests leave before others are added, so that there are never more
/// than those of one message and one read.
#[derive(Default)]
pub struct Input {
    bytes: Vec<u8>,
    /// The number of bytes at the beginning that belong to requests that were answered.
    answered: usize,
}

impl Input {
    /// Returns the bytes that no request has used up.
    pub fn rest(&self) -> &[u8] {
        &self.bytes[self.answered..]
    }

    /// Records that the request with the first `bytes` of the rest was answered.
    pub fn use_up(&mut self, bytes: usize) {
        self.answered += bytes;
    }

    /// Adds bytes to the end.
    pub fn add(&mut self, bytes: &[u8]) {
        self.forget_answered();
        self.bytes.extend_from_slice(bytes);
    }

    /// Drops the bytes of answered requests, and room that a connection without bytes should not keep.
    pub fn forget_answered(&mut self) {
        self.bytes.drain(..mem::take(&mut self.answered));
        if self.bytes.is_empty() && self.bytes.capacity() > KEPT_BYTES {
            self.bytes = Vec::new();
        }
    }

    /// Returns the bytes that no request has used up.
    pub fn into_rest(mut self) -> Vec<u8> {
        self.forget_answered();
        self.bytes
    }

    /// Reads from a stream, and returns the number of bytes that were added. They pass through the stack, so that a connection
    /// without bytes needs little room.
    pub fn poll_read(
        &mut self,
        stream: &mut (impl AsyncRead + Unpin),
        context: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        let mut bytes = [MaybeUninit::uninit(); READ_BYTES];
        let mut buffer = ReadBuf::uninit(&mut bytes);
        ready!(Pin::new(stream).poll_read(context, &mut buffer))?;
        self.add(buffer.filled());
        Poll::Ready(Ok(buffer.filled().len()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_that_is_always_cut_within_a_message_takes_no_more_room() {
        const MESSAGE: usize = 4000;
        let mut input = Input::default();
        let mut most = 0;
        input.add(&[0; MESSAGE / 2]);
        for _ in 0..10_000 {
            input.add(&[0; MESSAGE]);
            input.use_up(MESSAGE);
            most = most.max(input.bytes.capacity());
        }
        assert_eq!(input.rest().len(), MESSAGE / 2);
        assert!(most <= 4 * MESSAGE, "{most} bytes");
    }

    #[test]
    fn a_connection_without_bytes_keeps_little_room() {
        let mut input = Input::default();
        input.add(&[0; 16_000]);
        input.use_up(16_000);
        input.forget_answered();
        assert_eq!((input.bytes.len(), input.bytes.capacity()), (0, 0));
        input.add(b"rest");
        assert_eq!(input.into_rest(), b"rest");
    }
}
