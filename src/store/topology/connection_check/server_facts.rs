//! The facts that a server tells about itself in its reply to `HELLO`, which every user may send.

use crate::store::protocol::{server_mode::ServerMode, server_text::printable};
use redis::Value;

/// The role of a master, as Redis writes it.
pub const MASTER: &str = "master";

/// The facts that a server tells about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerFacts {
    /// The program and its version, such as `redis 7.0.15`.
    pub version: String,
    /// The mode; `None` if the server does not tell it.
    pub mode: Option<ServerMode>,
    /// `master` or `replica`; `None` if the server does not tell it, as a sentinel.
    pub role: Option<String>,
}

impl ServerFacts {
    /// Reads the reply to `HELLO`; `None` for any other reply.
    pub fn parse(reply: &Value) -> Option<Self> {
        let Value::Map(fields) = reply else { return None };
        let field = |name: &str| {
            let (_, value) = fields.iter().find(|(key, _)| text(key).as_deref() == Some(name))?;
            text(value)
        };
        Some(Self {
            version: format!("{} {}", field("server")?, field("version").unwrap_or_default()).trim_end().to_owned(),
            mode: field("mode").and_then(|mode| ServerMode::parse(&mode)),
            role: field("role"),
        })
    }
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::BulkString(bytes) => Some(printable(&String::from_utf8_lossy(bytes))),
        Value::SimpleString(text) | Value::VerbatimString { text, .. } => Some(printable(text)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_facts_are_those_of_hello() {
        let reply = "%4\r\n$6\r\nserver\r\n$5\r\nredis\r\n$7\r\nversion\r\n$6\r\n7.0.15\r\n\
                     $4\r\nmode\r\n$10\r\nstandalone\r\n$4\r\nrole\r\n$6\r\nmaster\r\n";
        let facts = ServerFacts::parse(&redis::parse_redis_value(reply.as_bytes()).expect("a reply"));
        let (version, role) = ("redis 7.0.15".to_owned(), Some(MASTER.to_owned()));
        assert_eq!(facts, Some(ServerFacts { version, mode: Some(ServerMode::Standalone), role }));
        assert_eq!(ServerFacts::parse(&Value::Okay), None);
    }
}
