//! What the log says of requests that failed.

use super::request_id::RequestId;
use crate::telemetry::traces;
use governor::{DefaultDirectRateLimiter, Quota};
use std::num::NonZeroU32;

/// When Redis is away every request fails; beyond so many lines a second the log says nothing new.
const LINES_PER_SECOND: NonZeroU32 = NonZeroU32::new(20).unwrap();

pub struct FailureLog(DefaultDirectRateLimiter);

impl Default for FailureLog {
    fn default() -> Self {
        Self(DefaultDirectRateLimiter::direct(Quota::per_second(LINES_PER_SECOND)))
    }
}

impl FailureLog {
    /// Notes what went wrong; the surplus of a flood is dropped.
    pub fn record(&self, id: &RequestId, code: &str, cause: &str) {
        if self.0.check().is_ok() {
            let trace_id = traces::trace_id();
            tracing::warn!(request_id = id.as_str(), trace_id, code, cause, "a request failed");
        }
    }
}
