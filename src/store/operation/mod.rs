//! Reading and changing: one file for each way an operation goes.

pub mod batch;
pub mod commands;
pub mod get;
pub mod write;

use crate::{
    store::{
        freshness::{Changes, Freshness},
        node::tracking::Source,
    },
    types::{FullKey, Ttl},
};
use std::{borrow::Cow, time::Duration};

/// What the values of one batch may have together, in bytes.
pub const REPLY_BYTES_MAX: usize = 64 * 1024 * 1024;

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

/// What a read found that may be kept.
pub struct Tracked {
    pub bytes: Option<Vec<u8>>,
    /// `None` where nobody would say that it changes.
    pub origin: Option<Origin>,
}

/// Where an answer came from, and what ends it.
pub struct Origin {
    pub source: Source,
    /// How long the key had yet to live when it was asked for; [`Duration::MAX`] for ever.
    pub left: Duration,
}

/// Notes a change when it is over, however it ended, also if its caller went away.
pub struct Noted<'a> {
    pub changes: &'a Changes,
    pub hash: u64,
}

impl Drop for Noted<'_> {
    fn drop(&mut self) {
        self.changes.note(self.hash);
    }
}
