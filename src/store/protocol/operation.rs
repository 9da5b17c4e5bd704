//! Operations on keys, and what they came to.

use crate::{
    store::consistency::Freshness,
    types::{FullKey, Ttl},
};
use std::borrow::Cow;

/// One command of a batch.
pub struct Operation<'a> {
    pub key: &'a FullKey<'a>,
    pub kind: OperationKind<'a>,
}

pub enum OperationKind<'a> {
    Get(Freshness),
    Set {
        bytes: Cow<'a, [u8]>,
        ttl: Ttl,
        /// So many replicas have to have it; that is waited for within the deadline.
        replicas: u32,
    },
    Delete,
}

impl OperationKind<'_> {
    /// How many replicas have to have it.
    pub fn replicas(&self) -> u32 {
        if let Self::Set { replicas, .. } = self { *replicas } else { 0 }
    }
}

/// What an operation came to.
#[derive(Debug, PartialEq, Eq)]
pub enum Answer {
    /// Of a GET: the bytes, or that there are none.
    Got(Option<Vec<u8>>),
    /// Of a SET: how many replicas had it when that was waited for.
    Stored { replicas: u32 },
    /// Of a DELETE: whether there was something to delete.
    Deleted(bool),
}
