//! The log of failed requests.

use super::{error_code::ErrorCode, request_id::RequestId};
use crate::telemetry::traces;
use governor::{DefaultDirectRateLimiter, Quota};
use std::num::NonZeroU32;

/// Maximum number of lines per second. While Redis is down every request fails, and further lines say nothing new.
const LINES_PER_SECOND: NonZeroU32 = NonZeroU32::new(20).unwrap();

/// Logs failed requests, up to a number of lines per second.
pub struct FailureLog(DefaultDirectRateLimiter);

impl Default for FailureLog {
    fn default() -> Self {
        Self(DefaultDirectRateLimiter::direct(Quota::per_second(LINES_PER_SECOND)))
    }
}

impl FailureLog {
    /// Logs the failure of `subject`, which is a command or an endpoint.
    pub fn record(&self, subject: &str, id: &RequestId, code: ErrorCode, cause: &str) {
        if self.0.check().is_ok() {
            let (request_id, code, trace_id) = (id.as_str(), code.as_str(), traces::trace_id());
            tracing::warn!(
                command = subject,
                code,
                request_id,
                trace_id,
                cause,
                "{subject} failed with {code}: {cause}"
            );
        }
    }
}
