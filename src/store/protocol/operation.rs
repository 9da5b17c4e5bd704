//! Operations on keys, and their results.

use crate::{
    store::consistency::{Freshness, LogicalTime},
    types::{FullKey, Ttl},
};
use std::borrow::Cow;

/// One operation of a batch.
pub struct Operation<'a> {
    /// The key.
    pub key: &'a FullKey<'a>,
    /// The kind of the operation.
    pub kind: OperationKind<'a>,
}

/// The kind of an operation.
pub enum OperationKind<'a> {
    /// Reads the value of a key that is at least as fresh as this.
    Get(Freshness),
    /// Stores a value.
    Set {
        /// The value.
        bytes: Cow<'a, [u8]>,
        /// The lifetime of the value.
        ttl: Ttl,
        /// The number of replicas that are to have the value before the answer; the wait ends with the deadline.
        replicas: u32,
    },
    /// Deletes a key.
    Delete,
}

impl OperationKind<'_> {
    /// Returns true if the operation is a read whose answer has to be proven fresh.
    pub fn is_strict_read(&self) -> bool {
        match self {
            Self::Get(Freshness::Master) => true,
            Self::Get(Freshness::Since(time)) => *time > LogicalTime::ZERO,
            _ => false,
        }
    }

    /// Returns the freshness that a read needs.
    pub fn freshness(&self) -> Freshness {
        if let Self::Get(freshness) = self { *freshness } else { Freshness::ReadYourWrites }
    }

    /// Returns the number of replicas that are to have the change before the answer.
    pub fn replicas(&self) -> u32 {
        if let Self::Set { replicas, .. } = self { *replicas } else { 0 }
    }
}

/// The result of an operation.
#[derive(Debug, PartialEq, Eq)]
pub enum Answer {
    /// The value that was read; `None` if the key does not exist.
    Got(Option<Vec<u8>>),
    /// The value was stored.
    Stored {
        /// The number of replicas that have the value, if that was waited for.
        replicas: u32,
    },
    /// The key was deleted; false if it did not exist.
    Deleted(bool),
}
