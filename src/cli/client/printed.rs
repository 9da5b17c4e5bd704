//! The texts that client commands print.

use super::reply::ServiceReply;
use crate::cli::failure::Failure;
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::value::RawValue;
use std::io::{self, IsTerminal};

/// Returns what `cachefront read` prints: a text and the end of its line, other JSON as it is, or bytes.
pub fn value(reply: &ServiceReply<'_>) -> Result<Vec<u8>, Failure> {
    let json = reply.value.map_or("null", RawValue::get);
    let text = serde_json::from_str::<String>(json).ok();
    match (text, reply.encoding.as_deref()) {
        (Some(text), Some("base64")) => bytes(&text),
        (Some(text), _) if io::stdout().is_terminal() => Ok(line(&for_terminal(&text))),
        (Some(text), _) => Ok(line(&text)),
        (None, _) => Ok(line(json)),
    }
}

/// Returns what `cachefront ttl` prints.
pub fn time_to_live(reply: &ServiceReply<'_>) -> Vec<u8> {
    match reply.ttl.map(RawValue::get) {
        Some(secs) if secs != "null" => line(secs),
        _ => line("never"),
    }
}

/// Returns a number as a line.
pub fn number(reply: &ServiceReply<'_>) -> Vec<u8> {
    line(reply.value.map_or("null", RawValue::get))
}

/// Decodes bytes, which a terminal cannot show.
fn bytes(base64: &str) -> Result<Vec<u8>, Failure> {
    let bytes = STANDARD
        .decode(base64)
        .map_err(|error| Failure::general(format!("the value is no base64, though the service says so: {error}")))?;
    if io::stdout().is_terminal() {
        let count = bytes.len();
        return Err(Failure::usage(format!(
            "the value has {count} bytes that are not text; send them to a file or a pipe, as in: cachefront read KEY > FILE"
        )));
    }
    Ok(bytes)
}

/// Ends a text with a line feed, unless it has one.
fn line(text: &str) -> Vec<u8> {
    let end = if text.ends_with('\n') { "" } else { "\n" };
    [text, end].concat().into_bytes()
}

/// Escapes control characters other than line feeds and tabs, so that a value cannot control the terminal.
fn for_terminal(text: &str) -> String {
    text.chars()
        .flat_map(|c| if c.is_control() && c != '\n' && c != '\t' { c.escape_default().collect() } else { vec![c] })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_ends_with_one_line_feed_and_cannot_control_the_terminal() {
        assert_eq!((line("a"), line("a\n"), line("")), (b"a\n".to_vec(), b"a\n".to_vec(), b"\n".to_vec()));
        assert_eq!(for_terminal("a\tb\n\u{1b}[2J\r"), "a\tb\n\\u{1b}[2J\\r");
    }
}
