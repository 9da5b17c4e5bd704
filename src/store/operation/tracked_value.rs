//! A value with its origin, which says for how long it may be cached.

use crate::{
    store::{node::tracking::TrackedSource, protocol::reply::parse_time_left},
    telemetry::metrics::Outcome,
};
use redis::Value;
use std::time::Duration;

/// A value that may be cached for as long as its origin says that it is current.
pub struct TrackedValue {
    /// The value; `None` if the key does not exist.
    pub bytes: Option<Vec<u8>>,
    /// The origin; `None` if no node reports changes of the key.
    pub origin: Option<TrackedOrigin>,
}

/// The origin of an answer, and the time for which the answer holds.
pub struct TrackedOrigin {
    /// The connection that reports changes of the key.
    pub source: TrackedSource,
    /// The time that the key had left to live when it was read; [`Duration::MAX`] if it never expires.
    pub left: Duration,
}

impl TrackedValue {
    /// Creates a value that must not be cached.
    pub(super) fn untracked(bytes: Option<Vec<u8>>) -> Self {
        Self { bytes, origin: None }
    }

    /// Creates a value with its origin, if the node reports changes of the key.
    pub(super) fn new(bytes: Option<Vec<u8>>, tracking: Option<(TrackedSource, Value)>) -> Self {
        let origin = tracking.and_then(|(source, answer)| {
            parse_time_left(bytes.is_some(), &answer).map(|left| TrackedOrigin { source, left })
        });
        Self { bytes, origin }
    }

    /// Returns the outcome under which the read is traced.
    pub(super) fn outcome(&self) -> Outcome {
        if self.bytes.is_some() { Outcome::Success } else { Outcome::NotFound }
    }
}
