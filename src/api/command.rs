//! The commands of `POST /cache`: JSON → [`Command`].

mod body;
mod fields;
mod messages;
mod near_miss;
mod number;
mod text;
mod value;

pub use body::{CommandBody, parse_body};

use crate::{
    cache::{Command, Increment, KeyQuery, Read, Write},
    http::{ErrorCode, Problem},
    store::{Lifetime, TokenBucket},
    types::{CommandName, Key},
};
use fields::Fields;
use messages::{kind, malformed, not_an_object, number_or_kind, shortened};
use number::{bounded, integer, is_integer, missing, ttl};
use serde_json::value::RawValue;
use std::borrow::Cow;
use text::string;
use value::value;

/// Maximum number of replicas that a WRITE can wait for. No shard has as many.
pub const REPLICAS_MAX: u32 = 100;
/// Maximum number of uses that a RATE_LIMIT allows. With more in one second, less than a microsecond would be between two.
pub const LIMIT_MAX: u32 = 1_000_000;
/// Maximum time of a RATE_LIMIT, in seconds: a year.
pub const PER_SECS_MAX: u32 = 31_536_000;

/// Parses one command.
pub fn parse(text: &str) -> Result<Command<'_>, Problem> {
    if !text.trim_ascii_start().starts_with('{') {
        return Err(not_an_object(text));
    }
    let mut fields: Fields<'_> = serde_json::from_str(text).map_err(|error| malformed(&error))?;
    let name = name(&fields);
    if let Some(near_miss) = &fields.near_miss {
        let problem = near_miss.problem();
        return Err(match name {
            Ok(name) => problem.with_command(name),
            Err(_) => problem,
        });
    }
    let name = name?;
    let command = own_fields_only(name, &mut fields).and_then(|()| command(name, &fields));
    command.map_err(|problem| problem.with_command(name))
}

fn command<'a>(name: CommandName, fields: &Fields<'a>) -> Result<Command<'a>, Problem> {
    Ok(match name {
        CommandName::Read => Command::Read(read(fields)?),
        CommandName::Write => Command::Write(write(fields)?),
        CommandName::Delete => Command::Delete { key: key(fields.key)? },
        CommandName::Touch => Command::Touch { key: key(fields.key)?, ttl: ttl("expire", fields.expire)? },
        CommandName::Ttl => Command::Ttl(query(fields)?),
        CommandName::Exists => Command::Exists(query(fields)?),
        CommandName::Increment => Command::Increment(increment(fields)?),
        CommandName::RateLimit => Command::RateLimit { key: key(fields.key)?, bucket: bucket(fields)? },
    })
}

/// Refuses fields that a command does not have. READ, WRITE and DELETE ignore them, as in the Python service.
fn own_fields_only(name: CommandName, fields: &mut Fields<'_>) -> Result<(), Problem> {
    let own: &[&str] = match name {
        CommandName::Read | CommandName::Write | CommandName::Delete => return Ok(()),
        CommandName::Touch => &["command", "key", "expire"],
        CommandName::Ttl | CommandName::Exists => &["command", "key", "consistency"],
        CommandName::Increment => &["command", "key", "by", "expire", "min", "max"],
        CommandName::RateLimit => &["command", "key", "limit", "per", "cost"],
    };
    let Some(foreign) = fields.beyond(own) else { return Ok(()) };
    let own = own[1..].iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let message = format!("`{}` is not a field of {name}, which has {own}", shortened(&foreign));
    Err(Problem::new(ErrorCode::UnknownField, message))
}

fn name(fields: &Fields<'_>) -> Result<CommandName, Problem> {
    let name = string("command", fields.command)?;
    CommandName::parse(&name).ok_or_else(|| {
        let (last, others) = CommandName::ALL.split_last().expect("there are commands");
        let others = others.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(", ");
        let message = format!("`command` must be {others} or {last}, in capitals, not \"{}\"", shortened(&name));
        Problem::new(ErrorCode::UnknownCommand, message)
    })
}

fn read<'a>(fields: &Fields<'a>) -> Result<Read<'a>, Problem> {
    Ok(Read {
        key: key(fields.key)?,
        from_master: from_master(fields.consistency)?,
        touch: ttl("touch", fields.touch)?,
    })
}

fn query<'a>(fields: &Fields<'a>) -> Result<KeyQuery<'a>, Problem> {
    Ok(KeyQuery { key: key(fields.key)?, from_master: from_master(fields.consistency)? })
}

fn write<'a>(fields: &Fields<'a>) -> Result<Write<'a>, Problem> {
    Ok(Write {
        key: key(fields.key)?,
        value: value(fields.value, fields.encoding)?,
        lifetime: lifetime(fields)?,
        if_absent: flag("if_absent", fields.if_absent)?,
        seal: flag("encrypt", fields.encrypt)?,
        replicas: replicas(fields.replicas)?,
    })
}

/// Parses the lifetime of a value that is written; `None` for the configured default.
fn lifetime(fields: &Fields<'_>) -> Result<Option<Lifetime>, Problem> {
    let ttl = ttl("expire", fields.expire)?;
    if !flag("keep_expire", fields.keep_expire)? {
        return Ok(ttl.map(Lifetime::New));
    }
    if ttl.is_some() {
        return Err(Problem::field("`expire` and `keep_expire` exclude each other"));
    }
    if flag("if_absent", fields.if_absent)? {
        return Err(Problem::field("`if_absent` and `keep_expire` exclude each other: what is absent has no lifetime"));
    }
    Ok(Some(Lifetime::Kept))
}

fn increment<'a>(fields: &Fields<'a>) -> Result<Increment<'a>, Problem> {
    let (min, max) = (integer("min", fields.min)?, integer("max", fields.max)?);
    if let (Some(min), Some(max)) = (min, max)
        && min > max
    {
        return Err(Problem::field("`min` may be at most `max`"));
    }
    let by = integer("by", fields.by)?.unwrap_or(1);
    Ok(Increment { key: key(fields.key)?, by, ttl: ttl("expire", fields.expire)?, min, max })
}

fn bucket(fields: &Fields<'_>) -> Result<TokenBucket, Problem> {
    let limit = bounded("limit", fields.limit, 1..=LIMIT_MAX)?.ok_or_else(|| missing("limit"))?;
    let per_secs = bounded("per", fields.per, 1..=PER_SECS_MAX)?.ok_or_else(|| missing("per"))?;
    let cost = bounded("cost", fields.cost, 0..=LIMIT_MAX)?.unwrap_or(1);
    if cost > limit {
        return Err(Problem::field("`cost` may be at most `limit`"));
    }
    Ok(TokenBucket::new(limit, per_secs, cost))
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

fn flag(field: &str, raw: Option<&RawValue>) -> Result<bool, Problem> {
    match raw.map(RawValue::get) {
        None | Some("null" | "false") => Ok(false),
        Some("true") => Ok(true),
        Some(other) => Err(Problem::field(format!("`{field}` must be true or false, not {}", kind(other)))),
    }
}

/// Parses the number of replicas that a WRITE waits for.
fn replicas(raw: Option<&RawValue>) -> Result<u32, Problem> {
    Ok(bounded("replicas", raw, 0..=REPLICAS_MAX)?.unwrap_or(0))
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
