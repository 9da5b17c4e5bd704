//! The log of failed requests and of deleted keys. It keeps the last failures for the console, and counts all of them.

use super::{
    error_code::ErrorCode,
    failed_request::{FailedRequest, FailureClass, RequestOrigin},
    problem::Problem,
};
use crate::{
    auth::Caller,
    telemetry::{
        metrics::{Counters, MetricsWriter, names},
        traces,
    },
    types::Key,
};
use governor::{DefaultDirectRateLimiter, Quota};
use std::{
    collections::VecDeque,
    fmt,
    num::NonZeroU32,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

/// Maximum number of lines per second and class. While Redis is down every request fails, and further lines say nothing
/// new.
const LINES_PER_SECOND: NonZeroU32 = NonZeroU32::new(20).unwrap();
/// Maximum number of failures of each class that are kept for the console.
const KEPT_MAX: usize = 20;
/// The target of the lines at level `debug` about what callers did: `LOG_LEVEL=info,cachefront::access=debug`.
const ACCESS: &str = "cachefront::access";

/// Logs, keeps and counts failed requests.
#[derive(Default)]
pub struct FailureLog {
    codes: Counters<ErrorCode>,
    classes: [ClassLog; FailureClass::ALL.len()],
}

/// The failures of one class.
struct ClassLog {
    budget: DefaultDirectRateLimiter,
    /// The failures since the last line that were not logged, because there were too many.
    not_logged: AtomicU64,
    /// The last failures that were logged, the oldest first.
    last: Mutex<VecDeque<FailedRequest>>,
}

impl Default for ClassLog {
    fn default() -> Self {
        Self {
            budget: DefaultDirectRateLimiter::direct(Quota::per_second(LINES_PER_SECOND)),
            not_logged: AtomicU64::new(0),
            last: Mutex::default(),
        }
    }
}

impl ClassLog {
    fn last(&self) -> MutexGuard<'_, VecDeque<FailedRequest>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl FailureLog {
    /// Counts an error that a caller gets.
    pub fn count(&self, code: ErrorCode) {
        self.codes.count(code);
    }

    /// Logs and keeps the failure of a request or login, as far as the budget of its class allows.
    pub fn record(&self, problem: &Problem, origin: RequestOrigin<'_>) {
        self.record_batch(problem, origin, 1);
    }

    /// Logs and keeps the failure of `times` commands of one batch with the same code, as one line. `problem` is that of the
    /// first of them.
    pub fn record_batch(&self, problem: &Problem, origin: RequestOrigin<'_>, times: u32) {
        let class = &self.classes[FailureClass::of(problem.code()) as usize];
        if class.budget.check().is_err() {
            class.not_logged.fetch_add(u64::from(times), Relaxed);
            return;
        }
        let failed = FailedRequest::new(problem, origin, times);
        log(&failed, class.not_logged.swap(0, Relaxed));
        let mut last = class.last();
        if last.len() >= KEPT_MAX {
            last.pop_front();
        }
        last.push_back(failed);
    }

    /// Returns the last failures of each class, the latest first.
    pub fn last(&self) -> Vec<FailedRequest> {
        let mut all: Vec<FailedRequest> = self.classes.iter().flat_map(|class| class.last().clone()).collect();
        all.sort_by_key(|failed| std::cmp::Reverse(failed.at_ms));
        all
    }

    /// Returns the number of errors by code, in the order of the codes.
    pub fn counts(&self) -> Vec<u64> {
        self.codes.rows().map(|(_, count)| count).collect()
    }

    /// Writes the number of errors by code.
    pub fn write_metrics(&self, page: &mut MetricsWriter<'_>) -> fmt::Result {
        page.counter(&names::ERRORS, self.codes.rows())
    }
}

fn log(failed: &FailedRequest, not_logged: u64) {
    let FailedRequest { command, code, request_id, shard, client, cause, .. } = failed;
    let (shard, client) = (shard.as_deref(), client.as_deref());
    let (peer, trace_id) = (failed.peer.map(tracing::field::display), traces::trace_id());
    let (not_logged, times) = ((not_logged > 0).then_some(not_logged), (failed.times > 1).then_some(failed.times));
    let sentence = failed.sentence();
    if failed.class.is_of_caller() {
        tracing::debug!(
            target: ACCESS, command, code, request_id, client, peer, shard, trace_id, cause, times, not_logged, "{sentence}"
        );
    } else {
        tracing::warn!(
            command,
            code,
            request_id,
            client,
            peer,
            shard,
            trace_id,
            cause,
            times,
            not_logged,
            "{sentence}"
        );
    }
}

/// Logs, at level `debug`, a DELETE that was run. The line names the key.
pub fn log_delete(key: &Key<'_>, found: bool, caller: &Caller, origin: RequestOrigin<'_>) {
    if tracing::enabled!(target: ACCESS, tracing::Level::DEBUG) {
        let (client, request_id) = (caller.client_id(), origin.id.as_str());
        let key = key.within(caller.namespace());
        let key = key.as_str();
        let peer = origin.peer.map(tracing::field::display);
        let result = if found { "was deleted" } else { "was to be deleted and did not exist" };
        tracing::debug!(target: ACCESS, command = "DELETE", key, request_id, client, peer, found, "key {key:?} {result}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::request_id::RequestId;
    use axum::http::HeaderMap;

    #[test]
    fn no_failure_displaces_those_of_another_class() {
        let (log, id) = (FailureLog::default(), RequestId::of(&HeaderMap::new()));
        let origin = RequestOrigin { endpoint: "POST /cache", id: &id, peer: None };
        for _ in 0..1000 {
            log.record(&Problem::new(ErrorCode::ShardUnavailable, "The shard is unavailable"), origin);
        }
        log.record(&Problem::new(ErrorCode::InvalidApiKey, "Invalid secret"), origin);
        log.record(&Problem::new(ErrorCode::DecryptionFailed, "The value cannot be decrypted"), origin);
        let last = log.last();
        let count = |class| last.iter().filter(|failed| failed.class == class).count();
        assert_eq!((count(FailureClass::Login), count(FailureClass::Value)), (1, 1));
        assert_eq!(count(FailureClass::Service), KEPT_MAX);
    }
}
