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
        (Reply::Found(value), _) => with_value(out, "SUCCESS", value),
        (Reply::Written { .. }, Command::Write(write)) if write.replicas == 0 => {
            with_value(out, "SUCCESS", &write.value);
        }
        (Reply::Written { replicas }, Command::Write(write)) => {
            let status = if *replicas >= write.replicas { "SUCCESS" } else { "UNCONFIRMED" };
            with_value(out, status, &write.value);
            out.pop();
            out.extend_from_slice(format!(",\"replicas\":{replicas}}}").as_bytes());
        }
        (Reply::Written { .. } | Reply::Deleted, command) => {
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

fn with_value(out: &mut Vec<u8>, status: &str, value: &Value<'_>) {
    out.extend_from_slice(b"\",\"status\":\"");
    out.extend_from_slice(status.as_bytes());
    out.extend_from_slice(b"\",");
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
