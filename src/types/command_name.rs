//! The names of the commands.

use std::fmt;

/// The name of a command, as callers write it and as replies, metrics and traces show it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CommandName {
    /// Reads a value.
    Read,
    /// Stores a value.
    Write,
    /// Deletes a value.
    Delete,
    /// Gives a key another time to live.
    Touch,
    /// Tells the time that a key has left.
    Ttl,
    /// Tells if a key exists.
    Exists,
    /// Adds to a number.
    Increment,
    /// Asks a rate limiter.
    RateLimit,
}

impl CommandName {
    /// All commands, in the order in which documents and error messages list them.
    pub const ALL: [Self; 8] =
        [Self::Read, Self::Write, Self::Delete, Self::Touch, Self::Ttl, Self::Exists, Self::Increment, Self::RateLimit];

    /// Returns the name in the command protocol, in capitals.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "READ",
            Self::Write => "WRITE",
            Self::Delete => "DELETE",
            Self::Touch => "TOUCH",
            Self::Ttl => "TTL",
            Self::Exists => "EXISTS",
            Self::Increment => "INCREMENT",
            Self::RateLimit => "RATE_LIMIT",
        }
    }

    /// Returns the command with this name, which is compared with its case; `None` if no command has the name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|command| command.as_str() == name)
    }
}

impl fmt::Display for CommandName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_parsed_as_it_is_written() {
        for command in CommandName::ALL {
            assert_eq!(CommandName::parse(command.as_str()), Some(command));
        }
        for other in ["", "read", "READ ", "FLUSHALL"] {
            assert_eq!(CommandName::parse(other), None, "{other:?}");
        }
    }
}
