//! The commands of `POST /cache`: JSON → [`Command`].

mod body;
mod fields;
mod messages;
mod near_miss;
mod text;
mod value;

pub use body::{CommandBody, parse_body};

use crate::{
    cache::{Command, Read, Write},
    http::{ErrorCode, Problem},
    types::{CommandName, Key, TTL_SECS_MAX, Ttl},
};
use fields::Fields;
use messages::{kind, malformed, not_an_object, number_or_kind, shortened};
use serde_json::value::RawValue;
use std::borrow::Cow;
use text::string;
use value::value;

/// Maximum number of replicas that a WRITE can wait for. No shard has as many.
pub const REPLICAS_MAX: u32 = 100;

/// Parses one command.
pub fn parse(text: &str) -> Result<Command<'_>, Problem> {
    if !text.trim_ascii_start().starts_with('{') {
        return Err(not_an_object(text));
    }
    let fields: Fields<'_> = serde_json::from_str(text).map_err(|error| malformed(&error))?;
    let name = name(&fields);
    if let Some(near_miss) = &fields.near_miss {
        let problem = near_miss.problem();
        return Err(match name {
            Ok(name) => problem.with_command(name),
            Err(_) => problem,
        });
    }
    let name = name?;
    let command = match name {
        CommandName::Read => read(&fields).map(Command::Read),
        CommandName::Write => write(&fields).map(Command::Write),
        CommandName::Delete => key(fields.key).map(|key| Command::Delete { key }),
    };
    command.map_err(|problem| problem.with_command(name))
}

fn name(fields: &Fields<'_>) -> Result<CommandName, Problem> {
    let name = string("command", fields.command)?;
    CommandName::parse(&name).ok_or_else(|| {
        Problem::new(
            ErrorCode::UnknownCommand,
            format!("`command` must be READ, WRITE or DELETE, in capitals, not \"{}\"", shortened(&name)),
        )
    })
}

fn read<'a>(fields: &Fields<'a>) -> Result<Read<'a>, Problem> {
    Ok(Read { key: key(fields.key)?, from_master: from_master(fields.consistency)? })
}

fn write<'a>(fields: &Fields<'a>) -> Result<Write<'a>, Problem> {
    Ok(Write {
        key: key(fields.key)?,
        value: value(fields.value, fields.encoding)?,
        ttl: ttl(fields.expire)?,
        seal: flag("encrypt", fields.encrypt)?,
        replicas: replicas(fields.replicas)?,
    })
}

/// Parses a key. An integer stands for its text, as in the Python service.
fn key(raw: Option<&RawValue>) -> Result<Key<'_>, Problem> {
    let text = match raw.map(RawValue::get) {
        Some("-0") => Cow::Borrowed("0"),
        Some(integer) if is_integer(integer) => Cow::Borrowed(integer),
        Some(other) if !other.starts_with('"') => {
            let given = number_or_kind(other);
            return Err(Problem::field(format!("`key` must be a string or an integer, not {given}")));
        }
        _ => string("key", raw)?,
    };
    Key::new(text).map_err(|error| Problem::new(ErrorCode::InvalidKey, error.to_string()))
}

fn is_integer(raw: &str) -> bool {
    raw.strip_prefix('-').unwrap_or(raw).bytes().all(|byte| byte.is_ascii_digit())
}

fn ttl(raw: Option<&RawValue>) -> Result<Option<Ttl>, Problem> {
    let Some(raw) = raw.map(RawValue::get).filter(|raw| *raw != "null") else { return Ok(None) };
    let secs = whole_number(raw).ok_or_else(|| {
        Problem::field(format!("`expire` must be a whole number of seconds, not {}", number_or_kind(raw)))
    })?;
    Ttl::from_secs(secs).map(Some).ok_or_else(ttl_too_long)
}

/// Parses a whole number in any form that JSON has for it, such as `3600.0` or `36e2`. One that is too large becomes the
/// largest or smallest number.
fn whole_number(raw: &str) -> Option<i64> {
    if let Ok(number) = raw.parse() {
        return Some(number);
    }
    let number: f64 = raw.parse().ok()?;
    if number.is_finite() && number.fract() != 0.0 {
        return None;
    }
    Some(format!("{number:.0}").parse().unwrap_or(if number < 0.0 { i64::MIN } else { i64::MAX }))
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
    let replicas = whole_number(raw).and_then(|number| u32::try_from(number).ok());
    replicas.filter(|replicas| *replicas <= REPLICAS_MAX).ok_or_else(|| {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_number_may_have_any_form_of_json() {
        for (text, number) in [
            ("3600", Some(3600)),
            ("3600.0", Some(3600)),
            ("3.6e3", Some(3600)),
            ("36000E-1", Some(3600)),
            ("-0.0", Some(0)),
            ("-5.0", Some(-5)),
            ("1e300", Some(i64::MAX)),
            ("1e400", Some(i64::MAX)),
            ("-1e400", Some(i64::MIN)),
            ("99999999999999999999", Some(i64::MAX)),
            ("0.5", None),
            ("-1.5e0", None),
            ("1e-400", Some(0)),
            ("true", None),
            ("\"60\"", None),
            ("[1]", None),
        ] {
            assert_eq!(whole_number(text), number, "{text}");
        }
    }

    #[test]
    fn an_integer_key_is_its_text() {
        for (raw, text) in [("5", "5"), ("-17", "-17"), ("-0", "0"), ("123456789012345678901", "123456789012345678901")]
        {
            let command = format!(r#"{{"command":"READ","key":{raw}}}"#);
            let command = parse(&command).expect("a command");
            assert_eq!(command.key().as_str(), text);
        }
        for raw in ["5.0", "1e3", "true", "null", "[1]", "{}"] {
            let problem = parse(&format!(r#"{{"command":"READ","key":{raw}}}"#)).expect_err(raw);
            assert_eq!(problem.code(), ErrorCode::InvalidField, "{raw}");
        }
    }
}
