//! The response of `POST /cache`: [`Reply`] → JSON.

use crate::{
    cache::{Command, Reply},
    types::Value,
};
use base64::{Engine, engine::general_purpose::STANDARD};

/// Bytes that are checked without a branch, so that the compiler uses vector instructions.
const CHUNK_BYTES: usize = 64;

fn is_plain(chunk: &[u8]) -> bool {
    chunk.iter().fold(0, |found, byte| found | needs_escape(*byte)) == 0
}

/// Returns 1 for a byte that JSON escapes, else 0.
fn needs_escape(byte: u8) -> u8 {
    u8::from(byte < 0x20) | u8::from(byte == b'"') | u8::from(byte == b'\\')
}

/// Writes the reply to a command.
pub fn write(out: &mut Vec<u8>, command: &Command<'_>, reply: &Reply) {
    out.extend_from_slice(b"{\"command\":\"");
    out.extend_from_slice(command.name().as_str().as_bytes());
    match (reply, command) {
        (Reply::Found(value), _) => write_value(out, "SUCCESS", value),
        (Reply::Written { .. }, Command::Write(write)) if write.replicas == 0 => {
            write_value(out, "SUCCESS", &write.value);
        }
        (Reply::Written { replicas }, Command::Write(write)) => {
            let status = if write.is_confirmed_by(*replicas) { "SUCCESS" } else { "UNCONFIRMED" };
            write_value(out, status, &write.value);
            out.pop();
            out.extend_from_slice(format!(",\"replicas\":{replicas}}}").as_bytes());
        }
        (Reply::Written { .. } | Reply::Deleted, command) => {
            out.extend_from_slice(b"\",\"message\":");
            write_message(out, command, " Key deleted");
            out.extend_from_slice(b",\"status\":\"SUCCESS\"}");
        }
        (Reply::NotFound, command) => {
            out.extend_from_slice(b"\",\"status\":\"NOT_FOUND\",\"message\":");
            write_message(out, command, " Key not found");
            out.push(b'}');
        }
    }
}

fn write_value(out: &mut Vec<u8>, status: &str, value: &Value<'_>) {
    out.extend_from_slice(b"\",\"status\":\"");
    out.extend_from_slice(status.as_bytes());
    out.extend_from_slice(b"\",");
    match value {
        Value::Text(text) => {
            out.extend_from_slice(b"\"value\":");
            write_string(out, text);
        }
        Value::Json(raw) => {
            out.extend_from_slice(b"\"value\":");
            out.extend_from_slice(raw.as_bytes());
        }
        Value::Bytes(bytes) => {
            out.extend_from_slice(b"\"encoding\":\"base64\",\"value\":");
            write_string(out, &STANDARD.encode(bytes));
        }
    }
    out.push(b'}');
}

fn write_message(out: &mut Vec<u8>, command: &Command<'_>, event: &str) {
    write_string(out, &[command.key().as_str(), event].concat());
}

/// Writes a text as a JSON string. Most texts need no escapes, and checking that is much faster than escaping.
fn write_string(out: &mut Vec<u8>, text: &str) {
    if text.as_bytes().chunks(CHUNK_BYTES).all(is_plain) {
        out.reserve(text.len() + 2);
        out.push(b'"');
        out.extend_from_slice(text.as_bytes());
        out.push(b'"');
        return;
    }
    serde_json::to_writer(out, text).expect("a text can be written as JSON to memory");
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_text_is_written_as_serde_writes_it(text in any::<String>(), at in any::<prop::sample::Index>(), byte in 0..=0x7f_u8) {
            // Long ones as well, plain but for one place.
            let mut long = "plain ".repeat(40);
            long.insert(at.index(long.len()), char::from(byte));
            for text in [text, long] {
                let mut out = Vec::new();
                write_string(&mut out, &text);
                prop_assert_eq!(out, serde_json::to_vec(&text)?);
            }
        }
    }
}
