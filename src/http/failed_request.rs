//! A failed request, as the log and the console show it.

use super::{error_code::ErrorCode, problem::Problem, request_id::RequestId};
use crate::telemetry::{events::now_ms, metrics::Outcome};
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// Maximum number of characters of a client's id that is shown.
const CLIENT_CHARS_MAX: usize = 64;

/// The request that a failure belongs to.
#[derive(Clone, Copy)]
pub struct RequestOrigin<'a> {
    /// The method and path of the endpoint, which stand for a command that is not known.
    pub endpoint: &'static str,
    /// The id of the request.
    pub id: &'a RequestId,
    /// The address that the request came from; `None` if it is not known.
    pub peer: Option<IpAddr>,
}

/// The class of a failure. The failures of one class never displace those of another one, in the log or in the console.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureClass {
    /// The service or Redis failed.
    Service,
    /// A login was refused because of its API key. Many of them are an attack.
    Login,
    /// A stored value was changed, or cannot be decrypted with the configured keys.
    Value,
    /// The caller may not do this, or not now: 401, 403 and 429.
    Denied,
    /// The request is wrong in another way.
    Malformed,
}

impl FailureClass {
    /// All classes, in the order of their numbers.
    pub const ALL: [Self; 5] = [Self::Service, Self::Login, Self::Value, Self::Denied, Self::Malformed];

    /// Returns the class of the failures with this code.
    pub fn of(code: ErrorCode) -> Self {
        match code.outcome() {
            _ if code == ErrorCode::InvalidApiKey => Self::Login,
            Outcome::DecryptionFailed => Self::Value,
            Outcome::Unauthorized | Outcome::Forbidden | Outcome::RateLimited => Self::Denied,
            outcome if outcome.is_failure() => Self::Service,
            _ => Self::Malformed,
        }
    }

    /// Returns true if the failure is the caller's alone. The log shows it at the level `debug`.
    pub fn is_of_caller(self) -> bool {
        matches!(self, Self::Denied | Self::Malformed)
    }
}

/// A failed request or command.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FailedRequest {
    /// The time of the failure, in milliseconds since 1970.
    pub at_ms: u64,
    /// The class of the failure.
    pub class: FailureClass,
    /// The command that failed; the endpoint if no command is known.
    pub command: String,
    /// The code in the reply.
    pub code: String,
    /// The id of the request.
    pub request_id: String,
    /// The client that sent the request, or that a login named; absent if none is known.
    pub client: Option<String>,
    /// The address that the request came from; absent if it is not known.
    pub peer: Option<IpAddr>,
    /// The shard of the key; absent if the failure is not that of a shard.
    pub shard: Option<String>,
    /// The chain of causes.
    pub cause: String,
    /// The number of commands of the request that failed with this code: more than 1 only in a batch.
    #[serde(default = "one")]
    pub times: u32,
}

/// Returns the number of failed commands in instances of earlier releases, which do not tell it.
fn one() -> u32 {
    1
}

impl FailedRequest {
    /// Describes the failure of a request.
    pub fn new(problem: &Problem, origin: RequestOrigin<'_>, times: u32) -> Self {
        let code = problem.code();
        Self {
            at_ms: now_ms(),
            class: FailureClass::of(code),
            command: problem.command().map_or(origin.endpoint, |command| command.as_str()).to_owned(),
            code: code.as_str().to_owned(),
            request_id: origin.id.as_str().to_owned(),
            client: problem.client().map(printable),
            peer: origin.peer,
            shard: problem.shard().map(str::to_owned),
            cause: problem.cause().to_owned(),
            times,
        }
    }

    /// Returns the failure as a sentence that reads alone.
    pub fn sentence(&self) -> String {
        let Self { command, code, cause, .. } = self;
        let client = self.client.as_ref().map(|client| format!(" of client \"{client}\"")).unwrap_or_default();
        let peer = self.peer.map(|peer| format!(" from {peer}")).unwrap_or_default();
        // Mostly the cause names the shard already.
        let shard =
            self.shard.as_ref().map(|shard| format!("shard \"{shard}\"")).filter(|shard| !cause.contains(shard));
        let shard = shard.map(|shard| format!(" on {shard}")).unwrap_or_default();
        let others = match self.times {
            0 | 1 => String::new(),
            times => format!(" ({times} commands of this batch failed so)"),
        };
        match self.class {
            FailureClass::Login => format!("a login{client}{peer} was refused: {cause}"),
            FailureClass::Value => {
                format!("{command}{client}{peer} found a value that it cannot return, {code}: {cause}{others}")
            }
            _ => format!("{command}{client}{peer} failed{shard} with {code}: {cause}{others}"),
        }
    }
}

/// Returns the beginning of a client's id, without characters that could change how a line is read.
fn printable(text: &str) -> String {
    text.chars().take(CLIENT_CHARS_MAX).flat_map(char::escape_debug).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderMap;

    #[test]
    fn every_failure_has_the_class_of_who_has_to_act() {
        for (code, class) in [
            (ErrorCode::ShardUnavailable, FailureClass::Service),
            (ErrorCode::InvalidApiKey, FailureClass::Login),
            (ErrorCode::ValueNotSealed, FailureClass::Value),
            (ErrorCode::TokenExpired, FailureClass::Denied),
            (ErrorCode::RateLimited, FailureClass::Denied),
            (ErrorCode::InvalidJson, FailureClass::Malformed),
        ] {
            assert_eq!(FailureClass::of(code), class);
        }
    }

    #[test]
    fn the_id_of_a_client_cannot_forge_a_line_of_the_log() {
        let id = RequestId::of(&HeaderMap::new());
        let origin = RequestOrigin { endpoint: "POST /login", id: &id, peer: Some(IpAddr::from([10, 0, 0, 7])) };
        let forged = format!("shop\"\nWARN {}", "x".repeat(1000));
        let problem = Problem::new(ErrorCode::InvalidApiKey, "Invalid secret").of_client(forged);
        let sentence = FailedRequest::new(&problem, origin, 1).sentence();
        assert!(sentence.starts_with(r#"a login of client "shop\"\nWARN xxx"#), "{sentence}");
        assert!(
            sentence.ends_with("x\" from 10.0.0.7 was refused: Invalid secret") && sentence.len() < 200,
            "{sentence}"
        );
    }
}
