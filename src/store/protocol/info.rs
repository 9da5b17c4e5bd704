//! Replies to `INFO`: lines of `name:value`.

use redis::Value;
use std::borrow::Cow;

/// Returns the text of a reply to `INFO`; `None` for any other reply.
pub fn text_of(reply: &Value) -> Option<Cow<'_, str>> {
    match reply {
        Value::BulkString(bytes) => Some(String::from_utf8_lossy(bytes)),
        Value::VerbatimString { text, .. } => Some(text.into()),
        _ => None,
    }
}

/// Returns the value of a field.
pub fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    // Every probe comes by here, and few lines begin with the name.
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim_end)
}
