//! [`Reply`] → JSON.

use super::command::name;
use crate::{
    cache::{Command, Reply},
    types::Value,
};
use base64::{Engine, engine::general_purpose::STANDARD};

/// Writes the reply to a command.
pub fn write(out: &mut Vec<u8>, command: &Command<'_>, reply: &Reply) {
    out.extend_from_slice(b"{\"command\":\"");
    out.extend_from_slice(name(command).as_bytes());
    match (reply, command) {
        (Reply::Found(value), _) => success_with(out, value),
        (Reply::Written, Command::Write(write)) => success_with(out, &write.value),
        (Reply::Written | Reply::Deleted, command) => {
            out.extend_from_slice(b"\",\"message\":");
            message(out, command, " Key deleted");
            out.extend_from_slice(b",\"status\":\"SUCCESS\"}");
        }
        (Reply::NotFound, command) => {
            out.extend_from_slice(b"\",\"status\":\"NOT_FOUND\",\"message\":");
            message(out, command, " Key not found");
            out.push(b'}');
        }
    }
}

fn success_with(out: &mut Vec<u8>, value: &Value<'_>) {
    out.extend_from_slice(b"\",\"status\":\"SUCCESS\",");
    match value {
        Value::Text(text) => {
            out.extend_from_slice(b"\"value\":");
            string(out, text);
        }
        Value::Json(raw) => {
            out.extend_from_slice(b"\"value\":");
            out.extend_from_slice(raw.as_bytes());
        }
        Value::Bytes(bytes) => {
            out.extend_from_slice(b"\"encoding\":\"base64\",\"value\":");
            string(out, &STANDARD.encode(bytes));
        }
    }
    out.push(b'}');
}

fn message(out: &mut Vec<u8>, command: &Command<'_>, what: &str) {
    string(out, &[command.key().as_str(), what].concat());
}

fn string(out: &mut Vec<u8>, text: &str) {
    serde_json::to_writer(out, text).expect("a text can be written as JSON to memory");
}
