//! Errors → HTTP, decided here and nowhere else. The caller gets a stable code and one sentence; the log gets the
//! whole chain of causes. docs/status-codes.md is this file as a table.

use super::{failure_log::FailureLog, json, request_id::RequestId};
use crate::{
    auth::{LoginError, Refusal, TokenError},
    cache::CacheError,
    store::{Advice, StoreError},
    telemetry::metrics::Outcome,
};
use axum::{
    http::{
        HeaderValue, StatusCode,
        header::{ALLOW, CACHE_CONTROL, RETRY_AFTER, WWW_AUTHENTICATE},
    },
    response::{IntoResponse, Response},
};
use serde::Serialize;
use std::{any::Any, borrow::Cow, error::Error};

/// Seconds after which a caller may try again when a shard was unavailable: it takes about as long to come back.
const RETRY_AFTER_SECS: u64 = 1;

/// An error as the caller sees it. Boxed, so that a `Result` with it stays small.
#[derive(Debug)]
pub struct Problem(Box<Details>);

#[derive(Debug)]
struct Details {
    status: StatusCode,
    code: &'static str,
    message: Cow<'static, str>,
    command: Option<&'static str>,
    retry_after_secs: Option<u64>,
    challenge: Option<&'static str>,
    allow: Option<&'static str>,
    /// The code that OAuth2 has for it (RFC 6749 §5.2), where the caller speaks OAuth2.
    oauth: Option<&'static str>,
    /// For the log.
    cause: Option<String>,
}

#[derive(Serialize)]
struct ErrorBody<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    command: Option<&'a str>,
    status: &'static str,
    code: &'a str,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_description: Option<&'a str>,
}

impl Problem {
    pub fn new(status: StatusCode, code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Details {
            status,
            code,
            message: message.into(),
            command: None,
            retry_after_secs: None,
            challenge: None,
            allow: None,
            oauth: None,
            cause: None,
        }))
    }

    pub fn bad_request(code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message)
    }

    /// A field of the body is not what it should be.
    pub fn field(message: impl Into<Cow<'static, str>>) -> Self {
        Self::bad_request("invalid_field", message)
    }

    pub fn no_token() -> Self {
        let message =
            "This needs a token: send the header \"Authorization: Bearer <access_token>\" with one from /login";
        Self::new(StatusCode::UNAUTHORIZED, "token_missing", message).challenge("Bearer realm=\"cachefront\"")
    }

    pub fn method_not_allowed(allow: &'static str) -> Self {
        let mut problem =
            Self::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", format!("This path takes {allow}"));
        problem.0.allow = Some(allow);
        problem
    }

    /// The process has as much to do as it may.
    pub fn busy() -> Self {
        let message = "Too many requests are being served; nothing was changed";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "overloaded", message).retry_after(RETRY_AFTER_SECS)
    }

    /// Names the command that the problem is about.
    pub fn of(mut self, command: &'static str) -> Self {
        self.0.command = Some(command);
        if command == "READ" && self.0.code == "deadline_passed" {
            self.0.message = "The shard of this key did not answer in time".into();
        }
        self
    }

    /// How to prove who one is (RFC 9110 §11.6.1).
    pub fn challenge(mut self, challenge: &'static str) -> Self {
        self.0.challenge = Some(challenge);
        self
    }

    /// The code that OAuth2 has for it.
    pub fn oauth(mut self, code: &'static str) -> Self {
        self.0.oauth = Some(code);
        self
    }

    fn retry_after(mut self, secs: u64) -> Self {
        self.0.retry_after_secs = Some(secs);
        self
    }

    fn caused_by(mut self, error: &dyn Error) -> Self {
        self.0.cause = Some(chain(error));
        self
    }

    /// The command that the problem is about, where that is known.
    pub fn command(&self) -> Option<&'static str> {
        self.0.command
    }

    /// What it counts as.
    pub fn outcome(&self) -> Outcome {
        match (self.0.code, self.0.status) {
            ("overloaded", _) => Outcome::Overloaded,
            ("write_unconfirmed", _) => Outcome::WriteUnconfirmed,
            ("value_does_not_open", _) => Outcome::DecryptionFailed,
            (_, StatusCode::UNAUTHORIZED) => Outcome::Unauthorized,
            (_, StatusCode::FORBIDDEN) => Outcome::Forbidden,
            (_, StatusCode::TOO_MANY_REQUESTS) => Outcome::RateLimited,
            (_, StatusCode::SERVICE_UNAVAILABLE) => Outcome::Unavailable,
            (_, StatusCode::GATEWAY_TIMEOUT) => Outcome::DeadlinePassed,
            (_, StatusCode::INSUFFICIENT_STORAGE) => Outcome::OutOfMemory,
            (_, status) if status.is_client_error() => Outcome::ClientError,
            _ => Outcome::InternalError,
        }
    }

    /// The JSON of one reply.
    pub fn write(&self, out: &mut Vec<u8>) {
        let Details { command, code, message, oauth, .. } = &*self.0;
        let body = ErrorBody {
            command: *command,
            status: "ERROR",
            code,
            message,
            error: *oauth,
            error_description: oauth.map(|_| &**message),
        };
        serde_json::to_writer(out, &body).expect("texts can be written as JSON to memory");
    }

    /// Says in the log what a caller must not see.
    pub fn log(&self, failures: &FailureLog, id: &RequestId) {
        if let Some(cause) = &self.0.cause {
            failures.record(id, self.0.code, cause);
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut body = Vec::with_capacity(160);
        self.write(&mut body);
        let mut response = json::response(body);
        *response.status_mut() = self.0.status;
        let headers = response.headers_mut();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(secs) = self.0.retry_after_secs {
            headers.insert(RETRY_AFTER, secs.into());
        }
        if let Some(challenge) = self.0.challenge {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        if let Some(allow) = self.0.allow {
            headers.insert(ALLOW, HeaderValue::from_static(allow));
        }
        response
    }
}

impl From<LoginError> for Problem {
    fn from(error: LoginError) -> Self {
        let problem = Self::new(StatusCode::UNAUTHORIZED, "invalid_api_key", "Invalid secret");
        // Logged, because many of them are an attack.
        problem.challenge("Basic realm=\"cachefront\"").caused_by(&error)
    }
}

impl From<TokenError> for Problem {
    fn from(error: TokenError) -> Self {
        let (code, message, challenge) = match error {
            TokenError::Expired => (
                "token_expired",
                "The token has expired: log in again",
                "Bearer realm=\"cachefront\", error=\"invalid_token\", error_description=\"The token has expired\"",
            ),
            TokenError::Invalid => (
                "token_invalid",
                "The token is not valid: log in again",
                "Bearer realm=\"cachefront\", error=\"invalid_token\", error_description=\"The token is not valid\"",
            ),
        };
        Self::new(StatusCode::UNAUTHORIZED, code, message).challenge(challenge)
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::MissingScope(scope) => Self::new(
                StatusCode::FORBIDDEN,
                "scope_missing",
                format!("This token has no permission to {}", scope.name()),
            ),
            Refusal::RateLimited(wait) => {
                // Rounded up: a caller that waits so long is let in.
                let secs = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
                Self::new(
                    StatusCode::TOO_MANY_REQUESTS,
                    "rate_limited",
                    "This client has sent more commands than it may",
                )
                .retry_after(secs.max(1))
            }
        }
    }
}

impl From<CacheError> for Problem {
    fn from(error: CacheError) -> Self {
        use StatusCode as Http;
        let problem = match &error {
            CacheError::Store(StoreError::Unavailable { .. }) => Self::new(
                Http::SERVICE_UNAVAILABLE,
                "shard_unavailable",
                "The shard of this key is unavailable; nothing was changed",
            ),
            CacheError::Store(StoreError::Unconfirmed { .. }) => Self::new(
                Http::SERVICE_UNAVAILABLE,
                "write_unconfirmed",
                "The connection to the shard of this key was lost; the change may or may not have been made",
            ),
            CacheError::Store(StoreError::DeadlinePassed { .. }) => Self::new(
                Http::GATEWAY_TIMEOUT,
                "deadline_passed",
                "The shard of this key did not answer in time; a change may or may not have been made",
            ),
            CacheError::Store(StoreError::Overloaded { .. }) => Self::new(
                Http::SERVICE_UNAVAILABLE,
                "overloaded",
                "Too many requests wait for the shard of this key; nothing was changed",
            ),
            CacheError::Store(StoreError::OutOfMemory { .. }) => Self::new(
                Http::INSUFFICIENT_STORAGE,
                "out_of_memory",
                "The shard of this key has no memory left; nothing was changed",
            ),
            CacheError::Store(StoreError::ReplyTooLarge) => Self::new(
                Http::PAYLOAD_TOO_LARGE,
                "reply_too_large",
                "The values of this batch are too large together: ask for fewer keys at once",
            ),
            CacheError::Store(StoreError::WrongType) => Self::new(
                Http::CONFLICT,
                "wrong_type",
                "This key holds a list, hash, set or other structure that another program made; READ returns plain values only",
            ),
            CacheError::DoesNotOpen(_) => Self::new(
                Http::INTERNAL_SERVER_ERROR,
                "value_does_not_open",
                "The stored value is encrypted and cannot be opened here",
            ),
            CacheError::NoSealingKey => Self::bad_request(
                "encryption_not_configured",
                "`encrypt` cannot be used: this service has no ENCRYPTION_KEY",
            ),
            CacheError::ValueTooLarge { bytes, bytes_max } => Self::new(
                Http::PAYLOAD_TOO_LARGE,
                "value_too_large",
                format!("`value` has {bytes} bytes; at most {bytes_max} are allowed"),
            ),
        };
        let problem = if problem.0.status.is_server_error() { problem.caused_by(&error) } else { problem };
        match error.advice() {
            Advice::RetryLater | Advice::RetryElsewhere => problem.retry_after(RETRY_AFTER_SECS),
            Advice::GiveUp => problem,
        }
    }
}

/// An error and all its causes in one line.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

/// The answer when a handler panicked. The panic itself was reported by the panic hook.
pub fn from_panic(_: Box<dyn Any + Send>) -> Response {
    tracing::error!("a request hit a defect");
    Problem::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        "internal_error",
        "Something went wrong in the service; the request may or may not have been carried out",
    )
    .into_response()
}
