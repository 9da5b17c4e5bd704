//! Commands and their replies.

use super::read_value::ReadValue;
use crate::{
    store::{BucketState, Lifetime, Sum, TokenBucket},
    types::{CommandName, Key, Scope, Ttl, Value},
};

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
    /// Gives a key another time to live.
    Touch {
        /// The key.
        key: Key<'a>,
        /// The time to live; `None` for the configured default.
        ttl: Option<Ttl>,
    },
    /// Asks for the time that a key has left.
    Ttl(KeyQuery<'a>),
    /// Asks if a key exists.
    Exists(KeyQuery<'a>),
    /// Adds to a number.
    Increment(Increment<'a>),
    /// Asks a rate limiter.
    RateLimit {
        /// The key.
        key: Key<'a>,
        /// The limiter, and the tokens that are asked for.
        bucket: TokenBucket,
    },
}

/// A READ.
#[derive(Debug)]
pub struct Read<'a> {
    /// The key.
    pub key: Key<'a>,
    /// Read from the master, though replicas may have the value.
    pub from_master: bool,
    /// The time to live that the key gets; `None` if it keeps its own.
    pub touch: Option<Ttl>,
}

/// A question about a key that leaves its value where it is.
#[derive(Debug)]
pub struct KeyQuery<'a> {
    /// The key.
    pub key: Key<'a>,
    /// Ask the master, though replicas may answer.
    pub from_master: bool,
}

/// A WRITE.
#[derive(Debug)]
pub struct Write<'a> {
    /// The key.
    pub key: Key<'a>,
    /// The value.
    pub value: Value<'a>,
    /// The lifetime of the value; `None` for the configured default.
    pub lifetime: Option<Lifetime>,
    /// Store nothing if the key exists.
    pub if_absent: bool,
    /// Seal the value, even where the settings do not seal all values.
    pub seal: bool,
    /// The number of replicas that have to have the value before the reply.
    pub replicas: u32,
}

/// An INCREMENT.
#[derive(Debug)]
pub struct Increment<'a> {
    /// The key.
    pub key: Key<'a>,
    /// The number that is added.
    pub by: i64,
    /// The time to live of a key that is created; `None` for the configured default.
    pub ttl: Option<Ttl>,
    /// The smallest result of a negative addition.
    pub min: Option<i64>,
    /// The largest result of a positive addition.
    pub max: Option<i64>,
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
            Self::Read(Read { key, .. })
            | Self::Write(Write { key, .. })
            | Self::Delete { key }
            | Self::Touch { key, .. }
            | Self::Ttl(KeyQuery { key, .. })
            | Self::Exists(KeyQuery { key, .. })
            | Self::Increment(Increment { key, .. })
            | Self::RateLimit { key, .. } => key,
        }
    }

    /// Returns the command's name.
    pub fn name(&self) -> CommandName {
        match self {
            Self::Read(_) => CommandName::Read,
            Self::Write(_) => CommandName::Write,
            Self::Delete { .. } => CommandName::Delete,
            Self::Touch { .. } => CommandName::Touch,
            Self::Ttl(_) => CommandName::Ttl,
            Self::Exists(_) => CommandName::Exists,
            Self::Increment(_) => CommandName::Increment,
            Self::RateLimit { .. } => CommandName::RateLimit,
        }
    }

    /// Returns true if the command may change what is stored.
    pub fn is_change(&self) -> bool {
        !matches!(self, Self::Read(Read { touch: None, .. }) | Self::Ttl(_) | Self::Exists(_))
    }

    /// Returns the scopes that the command needs.
    pub fn scopes(&self) -> &'static [Scope] {
        match self {
            Self::Read(Read { touch: None, .. }) | Self::Ttl(_) | Self::Exists(_) => &[Scope::Read],
            Self::Read(Read { touch: Some(_), .. }) => &[Scope::Read, Scope::Write],
            Self::Write(_) | Self::Touch { .. } | Self::Increment(_) | Self::RateLimit { .. } => &[Scope::Write],
            Self::Delete { .. } => &[Scope::Delete],
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
    /// A WRITE stored nothing, because the key exists.
    Exists,
    /// A DELETE deleted the value.
    Deleted,
    /// The key exists, and lives for this number of seconds; `None` for ever.
    Lives(Option<u64>),
    /// The number after an INCREMENT.
    Number(Sum),
    /// The state of a rate limiter.
    Bucket(BucketState),
    /// The key does not exist.
    NotFound,
}
