//! The size of a reply, which is known before it is written.

use crate::{
    cache::{Command, Reply},
    types::Value,
};

/// Bytes that are checked without a branch, so that the compiler uses vector instructions.
const CHUNK_BYTES: usize = 64;

fn is_plain(chunk: &[u8]) -> bool {
    chunk.iter().fold(0, |found, byte| found | needs_escape(*byte)) == 0
}

/// Returns 1 for a byte that JSON escapes, else 0.
fn needs_escape(byte: u8) -> u8 {
    u8::from(byte < 0x20) | u8::from(byte == b'"') | u8::from(byte == b'\\')
}

/// Returns the number of bytes that JSON adds to a byte of a text.
fn added_bytes(byte: u8) -> usize {
    match byte {
        b'"' | b'\\' | 0x08 | b'\t' | b'\n' | 0x0C | b'\r' => 1,
        ..0x20 => 5,
        _ => 0,
    }
}

/// Bytes of a reply besides its value or the key in its message, at most.
pub const FRAME_BYTES: usize = 192;

/// The size of a reply with a value.
#[derive(Clone, Copy, Default)]
pub struct ReplySize {
    /// The bytes of the whole reply, or a little more.
    pub bytes: usize,
    /// The bytes that escapes add to the value; 0 if it needs none.
    pub(super) escapes: usize,
}

impl ReplySize {
    /// Returns the size that the reply to a command has if it does not have to wait for a value to be read.
    pub fn before_run(command: &Command<'_>) -> Self {
        match command {
            Command::Write(write) => Self::with_value(&write.value),
            command => Self::with_key(command),
        }
    }

    /// Returns the size of the reply to a command that had this size before it ran.
    pub fn after_run(self, reply: &Reply) -> Self {
        if let Reply::Found(value) = reply { Self::with_value(value) } else { self }
    }

    fn with_value(value: &Value<'_>) -> Self {
        let (bytes, escapes) = match value {
            Value::Text(text) => (text.len(), escape_bytes(text)),
            Value::Json(raw) => (raw.len(), 0),
            Value::Bytes(bytes) => (bytes.len().div_ceil(3) * 4, 0),
        };
        Self { bytes: FRAME_BYTES + bytes + escapes, escapes }
    }

    fn with_key(command: &Command<'_>) -> Self {
        let key = command.key().as_str();
        Self { bytes: FRAME_BYTES + key.len() + escape_bytes(key), escapes: 0 }
    }
}

/// Returns the number of bytes that escapes add to a text. Most texts need none, and checking that is much faster than
/// counting.
pub fn escape_bytes(text: &str) -> usize {
    let bytes = text.as_bytes();
    if bytes.chunks(CHUNK_BYTES).all(is_plain) { 0 } else { bytes.iter().map(|byte| added_bytes(*byte)).sum() }
}
