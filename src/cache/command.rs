//! Commands and what they come to.

use crate::types::{CommandName, Key, Scope, Ttl, Value};
use std::sync::Arc;

/// What a caller asks for.
#[derive(Debug)]
pub enum Command<'a> {
    Read(Read<'a>),
    Write(Write<'a>),
    Delete { key: Key<'a> },
}

#[derive(Debug)]
pub struct Read<'a> {
    pub key: Key<'a>,
    /// Read from the master, whatever replicas have.
    pub from_master: bool,
}

#[derive(Debug)]
pub struct Write<'a> {
    pub key: Key<'a>,
    pub value: Value<'a>,
    /// `None`: the configured default.
    pub ttl: Option<Ttl>,
    /// Seal the value even where that is not done for all.
    pub seal: bool,
    /// Wait until so many replicas have it.
    pub replicas: u32,
}

impl<'a> Command<'a> {
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

    /// The permission that the command needs.
    pub fn scope(&self) -> Scope {
        match self {
            Self::Read(_) => Scope::Read,
            Self::Write(_) => Scope::Write,
            Self::Delete { .. } => Scope::Delete,
        }
    }
}

/// What a command came to.
#[derive(Debug, PartialEq, Eq)]
pub enum Reply {
    Found(Arc<Value<'static>>),
    /// How many replicas had it, where the WRITE asked that some have it.
    Written {
        replicas: u32,
    },
    Deleted,
    NotFound,
}
