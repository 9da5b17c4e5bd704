//! The response of `POST /cache`: [`Reply`] → JSON.

mod size;

pub use size::{FRAME_BYTES, ReplySize};

use crate::{
    cache::{Command, Reply},
    store::BucketState,
    types::Value,
};
use base64::{Engine, engine::general_purpose::STANDARD};

/// Writes the reply to a command, which has this size.
pub fn write(out: &mut Vec<u8>, command: &Command<'_>, reply: &Reply, size: ReplySize) {
    out.extend_from_slice(b"{\"command\":\"");
    out.extend_from_slice(command.name().as_str().as_bytes());
    match (reply, command) {
        (Reply::Found(value), _) => write_value(out, "SUCCESS", value, size),
        (Reply::Written { .. }, Command::Write(write)) if write.replicas == 0 => {
            write_value(out, "SUCCESS", &write.value, size);
        }
        (Reply::Written { replicas }, Command::Write(write)) => {
            let status = if write.is_confirmed_by(*replicas) { "SUCCESS" } else { "UNCONFIRMED" };
            write_value(out, status, &write.value, size);
            out.pop();
            out.extend_from_slice(format!(",\"replicas\":{replicas}}}").as_bytes());
        }
        (Reply::Written { .. } | Reply::Deleted, command) => {
            out.extend_from_slice(b"\",\"message\":");
            write_message(out, command, " Key deleted");
            out.extend_from_slice(b",\"status\":\"SUCCESS\"}");
        }
        (Reply::Exists, command) => {
            out.extend_from_slice(b"\",\"status\":\"CONFLICT\",\"message\":");
            write_message(out, command, " Key exists");
            out.push(b'}');
        }
        (Reply::Lives(_), Command::Exists(_)) => out.extend_from_slice(b"\",\"status\":\"SUCCESS\"}"),
        (Reply::Lives(secs), _) => write_ttl(out, b"\",\"status\":\"SUCCESS\",\"ttl\":", *secs),
        (Reply::Number(sum), _) => {
            let status = if sum.is_limited { "LIMITED" } else { "SUCCESS" };
            let begin = format!("\",\"status\":\"{status}\",\"value\":{},\"ttl\":", sum.value);
            write_ttl(out, begin.as_bytes(), sum.secs_left);
        }
        (Reply::Bucket(BucketState { is_allowed, remaining, retry_after, reset_after }), _) => {
            let [retry_ms, reset_ms] = [retry_after, reset_after].map(|time| time.as_micros().div_ceil(1000));
            let state = format!(
                "\",\"status\":\"SUCCESS\",\"allowed\":{is_allowed},\"remaining\":{remaining},\
                 \"retry_after_ms\":{retry_ms},\"reset_ms\":{reset_ms}}}"
            );
            out.extend_from_slice(state.as_bytes());
        }
        (Reply::NotFound, command) => {
            out.extend_from_slice(b"\",\"status\":\"NOT_FOUND\",\"message\":");
            write_message(out, command, " Key not found");
            out.push(b'}');
        }
    }
}

fn write_value(out: &mut Vec<u8>, status: &str, value: &Value<'_>, size: ReplySize) {
    out.extend_from_slice(b"\",\"status\":\"");
    out.extend_from_slice(status.as_bytes());
    out.extend_from_slice(b"\",");
    match value {
        Value::Text(text) => {
            out.extend_from_slice(b"\"value\":");
            write_string(out, text, size.escapes > 0);
        }
        Value::Json(raw) => {
            out.extend_from_slice(b"\"value\":");
            out.extend_from_slice(raw.as_bytes());
        }
        Value::Bytes(bytes) => {
            out.extend_from_slice(b"\"encoding\":\"base64\",\"value\":\"");
            write_base64(out, bytes);
            out.push(b'"');
        }
    }
    out.push(b'}');
}

/// Writes the seconds that a key has left behind `begin`; `null` for a key that does not expire.
fn write_ttl(out: &mut Vec<u8>, begin: &[u8], secs: Option<u64>) {
    out.extend_from_slice(begin);
    out.extend_from_slice(secs.map_or_else(|| "null".to_owned(), |secs| secs.to_string()).as_bytes());
    out.push(b'}');
}

fn write_message(out: &mut Vec<u8>, command: &Command<'_>, event: &str) {
    write_string(out, &[command.key().as_str(), event].concat(), true);
}

fn write_base64(out: &mut Vec<u8>, bytes: &[u8]) {
    let start = out.len();
    out.resize(start + bytes.len().div_ceil(3) * 4, 0);
    let written = STANDARD.encode_slice(bytes, &mut out[start..]).expect("there is room for four bytes of three");
    out.truncate(start + written);
}

/// Writes a text as a JSON string.
fn write_string(out: &mut Vec<u8>, text: &str, may_need_escapes: bool) {
    if may_need_escapes {
        serde_json::to_writer(out, text).expect("a text can be written as JSON to memory");
        return;
    }
    out.reserve(text.len() + 2);
    out.push(b'"');
    out.extend_from_slice(text.as_bytes());
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::{size::escape_bytes, *};
    use crate::{cache::Read, types::Key};
    use proptest::prelude::*;
    use std::{borrow::Cow, sync::Arc};

    fn read_reply(value: Value<'static>) -> (Vec<u8>, ReplySize) {
        let command =
            Command::Read(Read { key: Key::new("k".into()).expect("a key"), from_master: false, touch: None });
        let reply = Reply::Found(Arc::new(value).into());
        let (mut out, size) = (Vec::new(), ReplySize::before_run(&command).after_run(&reply));
        write(&mut out, &command, &reply, size);
        (out, size)
    }

    proptest! {
        #[test]
        fn a_text_is_written_as_serde_writes_it(text in any::<String>(), at in any::<prop::sample::Index>(), byte in 0..=0x7f_u8) {
            // Long ones as well, plain but for one place.
            let mut long = "plain ".repeat(40);
            long.insert(at.index(long.len()), char::from(byte));
            for text in [text, long] {
                let written = serde_json::to_string(&text)?;
                prop_assert_eq!(text.len() + escape_bytes(&text) + 2, written.len());
                let (out, size) = read_reply(Value::Text(Cow::Owned(text)));
                prop_assert_eq!(
                    String::from_utf8(out.clone())?,
                    format!("{{\"command\":\"READ\",\"status\":\"SUCCESS\",\"value\":{written}}}")
                );
                prop_assert!((size.bytes - FRAME_BYTES..=size.bytes).contains(&out.len()));
            }
        }

        #[test]
        fn bytes_are_written_as_base64(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            let (out, size) = read_reply(Value::Bytes(Cow::Owned(bytes.clone())));
            let read: serde_json::Value = serde_json::from_slice(&out)?;
            prop_assert_eq!(STANDARD.decode(read["value"].as_str().unwrap_or_default())?, bytes);
            prop_assert!((size.bytes - FRAME_BYTES..=size.bytes).contains(&out.len()));
        }
    }
}
