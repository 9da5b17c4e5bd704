//! The commands of `POST /cache`: JSON → [`Command`].

mod body;
mod messages;

pub use body::{CommandBody, parse_body};

use crate::{
    cache::{Command, Read, Write},
    http::{ErrorCode, Problem},
    types::{CommandName, Key, TTL_SECS_MAX, Ttl, Value},
};
use messages::{kind, malformed, not_an_object, number_or_kind, shortened};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use std::borrow::Cow;

/// Maximum number of replicas that a WRITE can wait for. No shard has as many.
pub const REPLICAS_MAX: u32 = 100;

/// The fields of a command. Unknown ones are ignored, as the Python service did.
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

/// Distinguishes `null` from an absent field, which `Option` alone does not.
fn raw<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

/// Parses one command.
pub fn parse(text: &str) -> Result<Command<'_>, Problem> {
    if !text.trim_ascii_start().starts_with('{') {
        return Err(not_an_object(text));
    }
    let fields: Fields<'_> = serde_json::from_str(text).map_err(|error| malformed(&error))?;
    let name = string("command", fields.command)?;
    let name = CommandName::parse(&name).ok_or_else(|| unknown_command(&name))?;
    let command = match name {
        CommandName::Read => read(&fields).map(Command::Read),
        CommandName::Write => write(&fields).map(Command::Write),
        CommandName::Delete => key(fields.key).map(|key| Command::Delete { key }),
    };
    command.map_err(|problem| problem.with_command(name))
}

fn unknown_command(name: &str) -> Problem {
    Problem::new(
        ErrorCode::UnknownCommand,
        format!("`command` must be READ, WRITE or DELETE, in capitals, not \"{}\"", shortened(name)),
    )
}

fn read<'a>(fields: &Fields<'a>) -> Result<Read<'a>, Problem> {
    Ok(Read { key: key(fields.key)?, from_master: from_master(fields.consistency)? })
}

fn write<'a>(fields: &Fields<'a>) -> Result<Write<'a>, Problem> {
    let key = key(fields.key)?;
    let value = fields.value.ok_or_else(|| Problem::field("`value` is missing"))?;
    Ok(Write {
        key,
        value: Value::from_json(value).map_err(|error| Problem::new(ErrorCode::ValueTooDeep, error.to_string()))?,
        ttl: ttl(fields.expire)?,
        seal: flag("encrypt", fields.encrypt)?,
        replicas: replicas(fields.replicas)?,
    })
}

fn key(raw: Option<&RawValue>) -> Result<Key<'_>, Problem> {
    Key::new(string("key", raw)?).map_err(|error| Problem::new(ErrorCode::InvalidKey, error.to_string()))
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
    match raw.parse() {
        Ok(secs) => Ttl::from_secs(secs).map(Some).ok_or_else(ttl_too_long),
        Err(_) if raw.bytes().all(|byte| byte.is_ascii_digit()) => Err(ttl_too_long()),
        Err(_) => {
            Err(Problem::field(format!("`expire` must be a whole number of seconds, not {}", number_or_kind(raw))))
        }
    }
}

fn ttl_too_long() -> Problem {
    Problem::field(format!("`expire` may be at most {TTL_SECS_MAX} seconds; 0 means that the value never expires"))
}

fn flag(field: &str, raw: Option<&RawValue>) -> Result<bool, Problem> {
    match raw.map(RawValue::get) {
        None | Some("null" | "false") => Ok(false),
        Some("true") => Ok(true),
        Some(other) => Err(Problem::field(format!("`{field}` must be true or false, not {}", kind(other)))),
    }
}

/// Parses the number of replicas that a WRITE waits for.
fn replicas(raw: Option<&RawValue>) -> Result<u32, Problem> {
    let Some(raw) = raw.map(RawValue::get).filter(|raw| *raw != "null") else { return Ok(0) };
    raw.parse().ok().filter(|replicas| *replicas <= REPLICAS_MAX).ok_or_else(|| {
        let given = number_or_kind(raw);
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
