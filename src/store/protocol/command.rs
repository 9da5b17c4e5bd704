//! Operations as Redis commands, and what their answers mean.

use crate::{
    store::{Answer, OperationKind, error::NodeError},
    types::{FullKey, Ttl},
};
use redis::{Cmd, Pipeline, Value};
use std::time::Duration;

/// The Redis command for an operation.
pub fn command(key: &FullKey<'_>, kind: &OperationKind<'_>) -> Cmd {
    let mut command = Cmd::new();
    match kind {
        OperationKind::Get(_) => command.arg("GET").arg(key.as_bytes()),
        // UNLINK is DEL that frees large values outside Redis's main thread.
        OperationKind::Delete => command.arg("UNLINK").arg(key.as_bytes()),
        OperationKind::Set { bytes, ttl, .. } => {
            command.arg("SET").arg(key.as_bytes()).arg(bytes.as_ref());
            match ttl {
                Ttl::Never => &mut command,
                Ttl::Secs(secs) => command.arg("EX").arg(secs.get()),
            }
        }
    };
    command
}

/// A GET whose key is tracked, and the question how long the key has yet to live.
pub fn tracked_get(key: &FullKey<'_>) -> Pipeline {
    let mut pipeline = Pipeline::with_capacity(3);
    pipeline.cmd("CLIENT").arg("CACHING").arg("YES");
    pipeline.cmd("GET").arg(key.as_bytes()).cmd("PTTL").arg(key.as_bytes());
    pipeline
}

/// What the answer to that question means, of a key that was or was not there: [`Duration::MAX`] for ever, `None` if
/// that has changed by now.
pub fn parse_time_left(found: bool, answer: &Value) -> Option<Duration> {
    match answer {
        Value::Int(-1) if found => Some(Duration::MAX),
        Value::Int(-2) if !found => Some(Duration::MAX),
        Value::Int(ms) if found => u64::try_from(*ms).ok().map(Duration::from_millis),
        _ => None,
    }
}

/// What a node's answer means; `had` is the number of replicas that had a change when that was waited for.
pub fn parse_answer(kind: &OperationKind<'_>, value: Value, had: u32) -> Result<Answer, NodeError> {
    match (kind, value) {
        (_, Value::ServerError(error)) => Err(NodeError::from(&error)),
        (OperationKind::Get(_), value) => parse_get(value).map(Answer::Got),
        (OperationKind::Set { .. }, Value::Okay) => Ok(Answer::Stored { replicas: had }),
        (OperationKind::Delete, Value::Int(deleted)) => Ok(Answer::Deleted(deleted > 0)),
        _ => Err(NodeError::Unexpected),
    }
}

pub fn parse_get(value: Value) -> Result<Option<Vec<u8>>, NodeError> {
    match value {
        Value::BulkString(bytes) => Ok(Some(bytes)),
        Value::Nil => Ok(None),
        Value::ServerError(error) => Err(NodeError::from(&error)),
        _ => Err(NodeError::Unexpected),
    }
}

/// Takes the answer to a command that has nothing to tell.
pub fn expect_ok(value: &Value) -> Result<(), NodeError> {
    match value {
        Value::Okay => Ok(()),
        Value::ServerError(error) => Err(NodeError::from(error)),
        _ => Err(NodeError::Unexpected),
    }
}
