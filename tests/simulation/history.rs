//! The history of a simulation: everything that clients asked for, and the answers.

use crate::world::Ms;
use std::fmt;

/// The freshness that a read asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// Changes through the same instance are seen.
    Own,
    /// The master answers.
    Strict,
    /// The changes that a token covers are seen: those of the records up to this number that had been acknowledged.
    Token { issued: Ms, instance: usize },
}

/// One operation on one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    Read(Wanted),
    Write { value: u32, ttl_secs: Option<u64>, replicas: u32 },
    Delete,
}

/// The answer to an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    Value(Option<u32>),
    Done,
    /// A deletion; false if there was nothing to delete.
    Deleted(bool),
    /// The operation was certainly not run.
    Refused(String),
    /// The operation may have been run.
    Unknown(String),
}

/// One operation with its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    pub client: usize,
    pub instance: usize,
    /// The number of the batch that the operation belongs to.
    pub batch: Option<usize>,
    pub key: String,
    pub action: Action,
    pub asked: Ms,
    pub answered: Ms,
    pub answer: Answer,
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { client, instance, batch, key, action, asked, answered, answer } = self;
        write!(
            f,
            "{asked:>6} ms  client {client}, instance {instance}: {action:?} {key} -> {answer:?} at {answered} ms"
        )?;
        if let Some(batch) = batch { write!(f, " (batch {batch})") } else { Ok(()) }
    }
}
