//! Commands and their replies.

use super::read_value::ReadValue;
use crate::types::{CommandName, Key, Scope, Ttl, Value};

/// A command of a caller.
#[derive(Debug)]
pub enum Command<'a> {
    /// Reads a value.
    Read(Read<'a>),
    /// Stores a value.
    Write(Write<'a>),
    /// Deletes a value.
    Delete {
        /// The key.
        key: Key<'a>,
    },
}

/// A READ.
#[derive(Debug)]
pub struct Read<'a> {
    /// The key.
    pub key: Key<'a>,
    /// Read from the master, though replicas may have the value.
    pub from_master: bool,
}

/// A WRITE.
#[derive(Debug)]
pub struct Write<'a> {
    /// The key.
    pub key: Key<'a>,
    /// The value.
    pub value: Value<'a>,
    /// The time to live; `None` for the configured default.
    pub ttl: Option<Ttl>,
    /// Seal the value, even where the settings do not seal all values.
    pub seal: bool,
    /// The number of replicas that have to have the value before the reply.
    pub replicas: u32,
}

impl Write<'_> {
    /// Returns true if `replicas` satisfies the WRITE.
    pub fn is_confirmed_by(&self, replicas: u32) -> bool {
        replicas >= self.replicas
    }
}

impl<'a> Command<'a> {
    /// Returns the key.
    pub fn key(&self) -> &Key<'a> {
        match self {
            Self::Read(Read { key, .. }) | Self::Delete { key } | Self::Write(Write { key, .. }) => key,
        }
    }

    /// Returns the command's name.
    pub fn name(&self) -> CommandName {
        match self {
            Self::Read(_) => CommandName::Read,
            Self::Write(_) => CommandName::Write,
            Self::Delete { .. } => CommandName::Delete,
        }
    }

    /// Returns true if the command may change what is stored.
    pub fn is_change(&self) -> bool {
        !matches!(self, Self::Read(_))
    }

    /// Returns the scope that the command needs.
    pub fn scope(&self) -> Scope {
        match self {
            Self::Read(_) => Scope::Read,
            Self::Write(_) => Scope::Write,
            Self::Delete { .. } => Scope::Delete,
        }
    }
}

/// The reply to a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// A READ found the value.
    Found(ReadValue),
    /// A WRITE stored the value.
    Written {
        /// The number of replicas that had the value, if the WRITE waited for some.
        replicas: u32,
    },
    /// A DELETE deleted the value.
    Deleted,
    /// The key does not exist.
    NotFound,
}
