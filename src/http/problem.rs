//! Errors as callers see them, and their HTTP responses. The caller gets a stable code and one sentence; the log gets
//! the whole chain of causes.

use super::{error_code::ErrorCode, request_id::RequestId};
use crate::{
    telemetry::metrics::Outcome,
    types::{CommandName, error_chain},
};
use axum::http::{
    HeaderMap, HeaderValue, StatusCode,
    header::{ACCEPT_ENCODING, ALLOW, RETRY_AFTER, WWW_AUTHENTICATE},
};
use serde::Serialize;
use std::{borrow::Cow, error::Error, sync::Arc, time::Duration};

/// Time after which a caller may try again when a shard was unavailable: a failover takes about as long.
pub const RETRY_WAIT: Duration = Duration::from_secs(1);

/// The challenge to a login.
pub const BASIC_CHALLENGE: &str = "Basic realm=\"cachefront\"";

/// An error as the caller sees it. Boxed, so that a `Result` with it stays small.
#[derive(Clone, Debug)]
pub struct Problem(Box<Details>);

#[derive(Clone, Debug)]
struct Details {
    code: ErrorCode,
    /// One sentence without a full stop.
    message: Cow<'static, str>,
    /// The effect on what is stored; `None` where the message says enough.
    effect: Option<&'static str>,
    command: Option<CommandName>,
    /// The time after which the caller may try again.
    retry_after: Option<Duration>,
    challenge: Option<&'static str>,
    allow: Option<&'static str>,
    /// The code in OAuth2, where the caller speaks OAuth2.
    oauth: Option<OAuthCode>,
    /// The chain of causes, for the log only.
    cause: Option<String>,
    /// The shard of the key, for the log only.
    shard: Option<Arc<str>>,
    /// The client that sent the request, or that a login named, for the log only.
    client: Option<String>,
}

/// A code of OAuth2 (RFC 6749 §5.2).
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
enum OAuthCode {
    /// The client is not known, or its secret is wrong.
    InvalidClient,
    /// The request is malformed.
    InvalidRequest,
    /// The grant type is not supported.
    UnsupportedGrantType,
    /// The client has none of the scopes that were asked for.
    InvalidScope,
    /// The service cannot serve the request at the moment.
    TemporarilyUnavailable,
}

#[derive(Serialize)]
struct ErrorBody<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    command: Option<&'a str>,
    status: &'static str,
    code: &'a str,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after_ms: Option<u128>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<OAuthCode>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_description: Option<String>,
}

impl Problem {
    /// Creates a problem with a message for the caller: one sentence without a full stop.
    pub fn new(code: ErrorCode, message: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Details {
            code,
            message: message.into(),
            effect: None,
            command: None,
            retry_after: None,
            challenge: None,
            allow: None,
            oauth: None,
            cause: None,
            shard: None,
            client: None,
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

    /// Creates the problem of a login without an API key.
    pub fn no_api_key(message: String) -> Self {
        Self::new(ErrorCode::InvalidApiKey, message).challenge(BASIC_CHALLENGE)
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
        Self::new(ErrorCode::Overloaded, message).retry_after(RETRY_WAIT)
    }

    /// Names the command that failed. One that only reads has no effect on what is stored, so its message says nothing of
    /// that.
    pub fn with_command(mut self, command: CommandName) -> Self {
        self.0.command = Some(command);
        if matches!(command, CommandName::Read | CommandName::Ttl | CommandName::Exists) {
            self.0.effect = None;
        }
        self
    }

    /// Sets the challenge of `WWW-Authenticate` (RFC 9110 §11.6.1).
    pub fn challenge(mut self, challenge: &'static str) -> Self {
        self.0.challenge = Some(challenge);
        self
    }

    /// Adds the code of OAuth2 that fits: every failed login has one, because OAuth2
    /// libraries look for nothing else.
    pub fn with_oauth(mut self) -> Self {
        let status = self.code().status();
        let code = match self.code() {
            ErrorCode::InvalidScope => OAuthCode::InvalidScope,
            ErrorCode::UnsupportedGrantType => OAuthCode::UnsupportedGrantType,
            _ if status == StatusCode::UNAUTHORIZED => OAuthCode::InvalidClient,
            _ if status.is_client_error() => OAuthCode::InvalidRequest,
            _ => OAuthCode::TemporarilyUnavailable,
        };
        self.0.oauth = Some(code);
        self
    }

    /// Sets the effect on what is stored.
    pub(super) fn with_effect(mut self, effect: Option<&'static str>) -> Self {
        self.0.effect = effect;
        self
    }

    /// Sets the time after which the caller may try again.
    pub(super) fn retry_after(mut self, wait: Duration) -> Self {
        self.0.retry_after = Some(wait);
        self
    }

    /// Records the shard of the key for the log.
    pub(super) fn on_shard(mut self, shard: Option<Arc<str>>) -> Self {
        self.0.shard = shard;
        self
    }

    /// Records the client for the log: the one that sent the request, or the one that a login named.
    pub fn of_client(mut self, client: impl Into<String>) -> Self {
        self.0.client = Some(client.into());
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

    /// Returns the chain of causes; without one, the message for the caller.
    pub fn cause(&self) -> &str {
        self.0.cause.as_deref().unwrap_or(&self.0.message)
    }

    /// Returns the name of the key's shard, where it is known.
    pub fn shard(&self) -> Option<&str> {
        self.0.shard.as_deref()
    }

    /// Returns the id of the client, where it is known.
    pub fn client(&self) -> Option<&str> {
        self.0.client.as_deref()
    }

    /// Returns the JSON of a whole response, whose headers tell the time to wait.
    pub(super) fn to_json(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(160);
        self.write_with(&mut out, None);
        out
    }

    /// Returns the fields of a whole response that only some problems have.
    pub(super) fn fields(&self) -> HeaderMap {
        let mut fields = HeaderMap::new();
        if self.0.code == ErrorCode::UnsupportedContentEncoding {
            // RFC 9110 §12.5.3: tells that no coding is accepted.
            fields.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        }
        if let Some(wait) = self.0.retry_after {
            // Rounded up, so that a caller that waits this long is admitted.
            let secs = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            fields.insert(RETRY_AFTER, secs.max(1).into());
        }
        if let Some(challenge) = self.0.challenge {
            fields.insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        if let Some(allow) = self.0.allow {
            fields.insert(ALLOW, HeaderValue::from_static(allow));
        }
        fields
    }

    /// Writes the JSON of one item of a batch. It tells the time to wait, because the item has no headers.
    pub fn write_item(&self, out: &mut Vec<u8>) {
        // Rounded up, so that a caller that waits this long is admitted.
        let wait = self.0.retry_after.map(|wait| wait.as_micros().div_ceil(1000));
        self.write_with(out, wait);
    }

    fn write_with(&self, out: &mut Vec<u8>, retry_after_ms: Option<u128>) {
        let Details { command, code, message, effect, oauth, .. } = &*self.0;
        let message = effect.map_or(Cow::Borrowed(&**message), |effect| format!("{message}; {effect}").into());
        let body = ErrorBody {
            command: command.map(CommandName::as_str),
            status: "ERROR",
            code: code.as_str(),
            message: &message,
            retry_after_ms,
            error: *oauth,
            // RFC 6749 §5.2 allows no quotation mark in it.
            error_description: oauth.map(|_| message.replace('"', "'")),
        };
        serde_json::to_writer(out, &body).expect("texts can be written as JSON to memory");
    }
}

/// Returns the problem of a request whose handler panicked. The panic hook has logged the panic itself.
pub fn from_panic(id: &RequestId) -> Problem {
    tracing::error!(request_id = id.as_str(), "request {} failed: its handler panicked", id.as_str());
    Problem::new(ErrorCode::InternalError, "The service has a defect; the request may or may not have been carried out")
}
