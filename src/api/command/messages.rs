//! The errors of malformed commands. They repeat no more than a few characters of what was sent.

use crate::http::{ErrorCode, Problem};
use std::borrow::Cow;

/// Characters of the caller's text that a message repeats.
const SHORTENED_CHARS: usize = 40;

const NUMBER: &str = "a number";

/// Returns the problem of a body that is not JSON.
pub fn malformed(error: &serde_json::Error) -> Problem {
    Problem::new(ErrorCode::InvalidJson, format!("The body is not valid JSON: {error}"))
}

/// Returns the problem of a command that is JSON, but not an object.
pub fn not_an_object(text: &str) -> Problem {
    Problem::new(
        ErrorCode::InvalidCommand,
        format!(
            "A command is a JSON object such as {{\"command\":\"READ\",\"key\":\"k\"}}, not {}",
            kind(text.trim_ascii_start())
        ),
    )
}

/// Returns a number as it was sent, and the kind of any other JSON value.
pub fn number_or_kind(raw: &str) -> Cow<'_, str> {
    match kind(raw) {
        NUMBER => shortened(raw),
        kind => kind.into(),
    }
}

/// Returns the kind of a JSON value, from its first byte.
pub fn kind(raw: &str) -> &'static str {
    match raw.as_bytes().first() {
        Some(b'"') => "a string",
        Some(b'{') => "an object",
        Some(b'[') => "an array",
        Some(b't' | b'f') => "a boolean",
        Some(b'n') => "null",
        _ => NUMBER,
    }
}

/// Returns the beginning of a text, short enough for a message.
pub fn shortened(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(SHORTENED_CHARS) {
        None => Cow::Borrowed(text),
        Some((end, _)) => Cow::Owned(format!("{}…", &text[..end])),
    }
}
