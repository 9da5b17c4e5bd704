//! JSON → [`Command`].

use crate::{
    cache::{Command, Read, Write},
    http::Problem,
    types::{Key, TTL_SECS_MAX, Ttl, Value},
};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use std::borrow::Cow;

/// Most commands in one batch.
pub const BATCH_COMMANDS_MAX: usize = 1000;

/// Most replicas that a WRITE can wait for; no shard has as many.
pub const REPLICAS_MAX: u32 = 100;

/// What a body holds.
pub enum Body<'a> {
    One(&'a str),
    Batch(Vec<&'a RawValue>),
}

/// Tells one command from a batch.
pub fn parse_body(bytes: &[u8]) -> Result<Body<'_>, Problem> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        Problem::bad_request("invalid_utf8", format!("The body is not UTF-8: byte {} is wrong", error.valid_up_to()))
    })?;
    match text.trim_ascii_start().bytes().next() {
        Some(b'{') => Ok(Body::One(text)),
        Some(b'[') => {
            let items: Vec<&RawValue> = serde_json::from_str(text).map_err(|error| malformed(&error))?;
            if items.len() > BATCH_COMMANDS_MAX {
                return Err(Problem::bad_request(
                    "batch_too_large",
                    format!("The batch has {} commands; at most {BATCH_COMMANDS_MAX} are allowed", items.len()),
                ));
            }
            Ok(Body::Batch(items))
        }
        None => Err(Problem::bad_request(
            "invalid_json",
            "The body is empty; send a command such as {\"command\":\"READ\",\"key\":\"k\"}",
        )),
        // Not JSON at all, or JSON of another kind: the parser tells which.
        Some(_) => Err(match serde_json::from_str::<&RawValue>(text) {
            Err(error) => malformed(&error),
            Ok(_) => not_an_object(text),
        }),
    }
}

/// Fields of a command; unknown ones are ignored, as the Python service did.
#[derive(Deserialize)]
struct Fields<'a> {
    #[serde(borrow, default, deserialize_with = "raw")]
    command: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "raw")]
    key: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "raw")]
    value: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "raw")]
    expire: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "raw")]
    encrypt: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "raw")]
    replicas: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "raw")]
    consistency: Option<&'a RawValue>,
}

/// Keeps `null` apart from absent, which `Option` alone does not.
fn raw<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

/// Reads one command.
pub fn parse(text: &str) -> Result<Command<'_>, Problem> {
    if !text.trim_ascii_start().starts_with('{') {
        return Err(not_an_object(text));
    }
    let fields: Fields<'_> = serde_json::from_str(text).map_err(|error| malformed(&error))?;
    let command = string("command", fields.command)?;
    match command.as_ref() {
        "READ" => read(&fields).map(Command::Read).map_err(|problem| problem.of("READ")),
        "WRITE" => write(&fields).map(Command::Write).map_err(|problem| problem.of("WRITE")),
        "DELETE" => Ok(Command::Delete { key: key(fields.key).map_err(|problem| problem.of("DELETE"))? }),
        other => Err(Problem::bad_request(
            "unknown_command",
            format!("`command` must be READ, WRITE or DELETE, in capitals, not \"{}\"", shortened(other)),
        )),
    }
}

/// The name of a command in replies.
pub fn name(command: &Command<'_>) -> &'static str {
    command.name().as_str()
}

fn read<'a>(fields: &Fields<'a>) -> Result<Read<'a>, Problem> {
    Ok(Read { key: key(fields.key)?, from_master: from_master(fields.consistency)? })
}

fn write<'a>(fields: &Fields<'a>) -> Result<Write<'a>, Problem> {
    let key = key(fields.key)?;
    let value = fields.value.ok_or_else(|| Problem::field("`value` is missing"))?;
    Ok(Write {
        key,
        value: Value::from_json(value),
        ttl: ttl(fields.expire)?,
        seal: flag("encrypt", fields.encrypt)?,
        replicas: replicas(fields.replicas)?,
    })
}

fn key(raw: Option<&RawValue>) -> Result<Key<'_>, Problem> {
    Key::new(string("key", raw)?).map_err(|error| Problem::bad_request("invalid_key", error.to_string()))
}

fn string<'a>(field: &str, raw: Option<&'a RawValue>) -> Result<Cow<'a, str>, Problem> {
    #[derive(Deserialize)]
    struct Borrowed<'a>(#[serde(borrow)] Cow<'a, str>);

    let raw = raw.ok_or_else(|| Problem::field(format!("`{field}` is missing")))?.get();
    if !raw.starts_with('"') {
        return Err(Problem::field(format!("`{field}` must be a string, not {}", kind(raw))));
    }
    let text: Borrowed<'a> = serde_json::from_str(raw)
        .map_err(|_| Problem::field(format!("`{field}` is not Unicode text: it has half of a surrogate pair")))?;
    Ok(text.0)
}

fn ttl(raw: Option<&RawValue>) -> Result<Option<Ttl>, Problem> {
    let Some(raw) = raw.map(RawValue::get).filter(|raw| *raw != "null") else { return Ok(None) };
    let too_long = || {
        Problem::field(format!("`expire` may be at most {TTL_SECS_MAX} seconds; 0 means that the value never expires"))
    };
    match raw.parse() {
        Ok(secs) => Ttl::from_secs(secs).map(Some).ok_or_else(too_long),
        Err(_) if raw.bytes().all(|byte| byte.is_ascii_digit()) => Err(too_long()),
        Err(_) => Err(Problem::field(format!(
            "`expire` must be a whole number of seconds, not {}",
            if kind(raw) == "a number" { shortened(raw) } else { kind(raw).into() }
        ))),
    }
}

fn flag(field: &str, raw: Option<&RawValue>) -> Result<bool, Problem> {
    match raw.map(RawValue::get) {
        None | Some("null" | "false") => Ok(false),
        Some("true") => Ok(true),
        Some(other) => Err(Problem::field(format!("`{field}` must be true or false, not {}", kind(other)))),
    }
}

/// How many replicas have to have a value.
fn replicas(raw: Option<&RawValue>) -> Result<u32, Problem> {
    let Some(raw) = raw.map(RawValue::get).filter(|raw| *raw != "null") else { return Ok(0) };
    raw.parse().ok().filter(|replicas| *replicas <= REPLICAS_MAX).ok_or_else(|| {
        let given = if kind(raw) == "a number" { shortened(raw) } else { kind(raw).into() };
        Problem::field(format!("`replicas` must be a whole number from 0 to {REPLICAS_MAX}, not {given}"))
    })
}

fn from_master(raw: Option<&RawValue>) -> Result<bool, Problem> {
    match raw.map(RawValue::get) {
        None | Some("null") => Ok(false),
        Some("\"master\"") => Ok(true),
        Some(other) => {
            Err(Problem::field(format!("`consistency` can only be \"master\", or absent, not {}", shortened(other))))
        }
    }
}

fn not_an_object(text: &str) -> Problem {
    Problem::bad_request(
        "invalid_command",
        format!(
            "A command is a JSON object such as {{\"command\":\"READ\",\"key\":\"k\"}}, not {}",
            kind(text.trim_ascii_start())
        ),
    )
}

fn malformed(error: &serde_json::Error) -> Problem {
    Problem::bad_request("invalid_json", format!("The body is not valid: {error}"))
}

/// What kind of JSON value a text is, from its first byte.
fn kind(raw: &str) -> &'static str {
    match raw.as_bytes().first() {
        Some(b'"') => "a string",
        Some(b'{') => "an object",
        Some(b'[') => "an array",
        Some(b't' | b'f') => "a boolean",
        Some(b'n') => "null",
        _ => "a number",
    }
}

/// So much of a text as fits into a message.
fn shortened(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(40) {
        None => Cow::Borrowed(text),
        Some((end, _)) => Cow::Owned(format!("{}…", &text[..end])),
    }
}
