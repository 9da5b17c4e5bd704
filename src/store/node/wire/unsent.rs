//! The bytes that wait to be sent over a stream.

use std::collections::VecDeque;

/// Size up to which a command is copied to those that are sent together with it.
const COPIED_BYTES_MAX: usize = 16 * 1024;
/// Size of the bytes that are sent together from which no further command is copied to them.
const CHUNK_BYTES_MAX: usize = 64 * 1024;

/// The bytes that wait to be sent.
#[derive(Default)]
pub struct Unsent {
    chunks: VecDeque<Vec<u8>>,
    /// The bytes of the first chunk that have been sent.
    sent: usize,
    /// The bytes that have not been sent.
    pub bytes: usize,
}

impl Unsent {
    /// Adds bytes after all others.
    pub fn push(&mut self, bytes: Vec<u8>) {
        self.bytes += bytes.len();
        match self.chunks.back_mut() {
            Some(last) if bytes.len() <= COPIED_BYTES_MAX && last.len() < CHUNK_BYTES_MAX => {
                last.extend_from_slice(&bytes);
            }
            _ => self.chunks.push_back(bytes),
        }
    }

    /// Returns bytes that are to be sent next.
    pub fn first(&self) -> Option<&[u8]> {
        self.chunks.front().map(|chunk| &chunk[self.sent..])
    }

    /// Removes bytes that were sent.
    pub fn advance(&mut self, written: usize) {
        self.bytes -= written;
        self.sent += written;
        if self.chunks.front().is_some_and(|chunk| chunk.len() == self.sent) {
            self.chunks.pop_front();
            self.sent = 0;
        }
    }
}
