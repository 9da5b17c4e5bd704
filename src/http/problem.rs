//! Errors as callers see them, and their HTTP responses. The caller gets a stable code and one sentence; the log gets
//! the whole chain of causes.

use super::{error_code::ErrorCode, failure_log::FailureLog, json, request_id::RequestId};
use crate::{
    telemetry::metrics::Outcome,
    types::{CommandName, error_chain},
};
use axum::{
    http::{
        HeaderValue,
        header::{ALLOW, CACHE_CONTROL, RETRY_AFTER, WWW_AUTHENTICATE},
    },
    response::{IntoResponse, Response},
};
use serde::Serialize;
use std::{borrow::Cow, error::Error};

/// Seconds after which a caller may try again when a shard was unavailable: a failover takes about as long.
pub const RETRY_AFTER_SECS: u64 = 1;

/// An error as the caller sees it. Boxed, so that a `Result` with it stays small.
#[derive(Debug)]
pub struct Problem(Box<Details>);

#[derive(Debug)]
struct Details {
    code: ErrorCode,
    /// One sentence without a full stop.
    message: Cow<'static, str>,
    /// The effect on what is stored; `None` where the message says enough.
    effect: Option<&'static str>,
    command: Option<CommandName>,
    retry_after_secs: Option<u64>,
    challenge: Option<&'static str>,
    allow: Option<&'static str>,
    /// The code in OAuth2, where the caller speaks OAuth2.
    oauth: Option<OAuthCode>,
    /// The chain of causes, for the log only.
    cause: Option<String>,
}

/// A code of OAuth2 (RFC 6749 §5.2).
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OAuthCode {
    /// The client is not known, or its secret is wrong.
    InvalidClient,
    /// The request is malformed.
    InvalidRequest,
    /// The grant type is not supported.
    UnsupportedGrantType,
}

#[derive(Serialize)]
struct ErrorBody<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    command: Option<&'a str>,
    status: &'static str,
    code: &'a str,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<OAuthCode>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_description: Option<&'a str>,
}

impl Problem {
    /// Creates a problem with a message for the caller: one sentence without a full stop.
    pub fn new(code: ErrorCode, message: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Details {
            code,
            message: message.into(),
            effect: None,
            command: None,
            retry_after_secs: None,
            challenge: None,
            allow: None,
            oauth: None,
            cause: None,
        }))
    }

    /// Creates the problem of a field that is missing or has a wrong value.
    pub fn field(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorCode::InvalidField, message)
    }

    /// Creates the problem of a request without a token.
    pub fn no_token() -> Self {
        let message =
            "This needs a token: send the header \"Authorization: Bearer <access_token>\" with one from /login";
        Self::new(ErrorCode::TokenMissing, message).challenge("Bearer realm=\"cachefront\"")
    }

    /// Creates the problem of a path that takes only the methods `allow`.
    pub fn method_not_allowed(allow: &'static str) -> Self {
        let mut problem = Self::new(ErrorCode::MethodNotAllowed, format!("This path takes only {allow}"));
        problem.0.allow = Some(allow);
        problem
    }

    /// Creates the problem of a request that exceeds a limit of the process.
    pub fn busy() -> Self {
        let message = "Too many requests are being served; this one was not carried out";
        Self::new(ErrorCode::Overloaded, message).retry_after(RETRY_AFTER_SECS)
    }

    /// Names the command that failed. A READ has no effect on what is stored, so its message says nothing of that.
    pub fn with_command(mut self, command: CommandName) -> Self {
        self.0.command = Some(command);
        if command == CommandName::Read {
            self.0.effect = None;
        }
        self
    }

    /// Sets the challenge of `WWW-Authenticate` (RFC 9110 §11.6.1).
    pub fn challenge(mut self, challenge: &'static str) -> Self {
        self.0.challenge = Some(challenge);
        self
    }

    /// Sets the code for a caller that speaks OAuth2.
    pub fn oauth(mut self, code: OAuthCode) -> Self {
        self.0.oauth = Some(code);
        self
    }

    /// Sets the effect on what is stored.
    pub(super) fn with_effect(mut self, effect: Option<&'static str>) -> Self {
        self.0.effect = effect;
        self
    }

    /// Sets the time after which the caller may try again.
    pub(super) fn retry_after(mut self, secs: u64) -> Self {
        self.0.retry_after_secs = Some(secs);
        self
    }

    /// Records the chain of causes for the log.
    pub(super) fn caused_by(mut self, error: &dyn Error) -> Self {
        self.0.cause = Some(error_chain(error));
        self
    }

    /// Returns the command that failed, where it is known.
    pub fn command(&self) -> Option<CommandName> {
        self.0.command
    }

    /// Returns the code of the error.
    pub fn code(&self) -> ErrorCode {
        self.0.code
    }

    /// Returns the outcome that metrics count.
    pub fn outcome(&self) -> Outcome {
        self.0.code.outcome()
    }

    /// Writes the JSON of one reply.
    pub fn write(&self, out: &mut Vec<u8>) {
        let Details { command, code, message, effect, oauth, .. } = &*self.0;
        let message = effect.map_or(Cow::Borrowed(&**message), |effect| format!("{message}; {effect}").into());
        let body = ErrorBody {
            command: command.map(CommandName::as_str),
            status: "ERROR",
            code: code.as_str(),
            message: &message,
            error: *oauth,
            error_description: oauth.map(|_| &*message),
        };
        serde_json::to_writer(out, &body).expect("texts can be written as JSON to memory");
    }

    /// Logs the causes, which the caller does not see. `subject` names what failed where that is not a command.
    pub fn log(&self, failures: &FailureLog, id: &RequestId, subject: &str) {
        if let Some(cause) = &self.0.cause {
            let subject = self.0.command.map_or(subject, |command| command.as_str());
            failures.record(subject, id, self.0.code, cause);
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut body = Vec::with_capacity(160);
        self.write(&mut body);
        let mut response = json::response(body);
        *response.status_mut() = self.0.code.status();
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

/// Returns the response to a request whose handler panicked. The panic hook has logged the panic itself.
pub fn from_panic(id: &RequestId) -> Response {
    tracing::error!(request_id = id.as_str(), "request {} failed: its handler panicked", id.as_str());
    Problem::new(ErrorCode::InternalError, "The service has a defect; the request may or may not have been carried out")
        .into_response()
}
