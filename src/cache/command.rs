//! Commands and what they come to.

use crate::types::{Key, Scope, Ttl, Value};

/// What a caller asks for.
#[derive(Debug)]
pub enum Command<'a> {
    Read { key: Key<'a> },
    Write(Write<'a>),
    Delete { key: Key<'a> },
}

#[derive(Debug)]
pub struct Write<'a> {
    pub key: Key<'a>,
    pub value: Value<'a>,
    /// `None`: the configured default.
    pub ttl: Option<Ttl>,
    /// Seal the value even where that is not done for all.
    pub seal: bool,
}

impl<'a> Command<'a> {
    pub fn key(&self) -> &Key<'a> {
        match self {
            Self::Read { key } | Self::Delete { key } | Self::Write(Write { key, .. }) => key,
        }
    }

    /// The permission that the command needs.
    pub fn scope(&self) -> Scope {
        match self {
            Self::Read { .. } => Scope::Read,
            Self::Write(_) => Scope::Write,
            Self::Delete { .. } => Scope::Delete,
        }
    }
}

/// What a command came to.
#[derive(Debug, PartialEq, Eq)]
pub enum Reply {
    Found(Value<'static>),
    Written,
    Deleted,
    NotFound,
}
