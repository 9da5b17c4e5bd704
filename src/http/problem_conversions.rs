//! The errors of the floors below → [`Problem`], decided here and nowhere else.

use super::{
    error_code::ErrorCode,
    problem::{BASIC_CHALLENGE, Problem, RETRY_WAIT},
};
use crate::{
    auth::{LoginError, PermissionError, TokenError},
    cache::CacheError,
    store::{Advice, StoreError},
    types::ReplyMemoryError,
};

/// The effect of a change that was certainly not made.
const UNCHANGED: &str = "nothing was changed";
const REPLY_TOO_LARGE: &str =
    "The values of this reply are too large together: a reply has at most 64 MiB, so ask for fewer keys at once";
const NO_REPLY_MEMORY: &str = "Too many large replies are being sent";

impl From<LoginError> for Problem {
    fn from(error: LoginError) -> Self {
        match error {
            LoginError::InvalidKey => {
                let problem = Self::new(ErrorCode::InvalidApiKey, "Invalid secret");
                // Logged, because many of them are an attack.
                problem.challenge(BASIC_CHALLENGE).caused_by(&error)
            }
            LoginError::NoScope => {
                Self::new(ErrorCode::InvalidScope, "This client has none of the scopes that `scope` asks for")
            }
        }
    }
}

impl From<TokenError> for Problem {
    fn from(error: TokenError) -> Self {
        match error {
            TokenError::Expired => Self::new(ErrorCode::TokenExpired, "The token has expired: log in again").challenge(
                "Bearer realm=\"cachefront\", error=\"invalid_token\", error_description=\"The token has expired\"",
            ),
            TokenError::Invalid => Self::invalid_token("The token is not valid: log in again"),
            TokenError::ApiKey => {
                Self::invalid_token("This is an API key: POST it to /login, and send the access_token of the answer")
            }
            TokenError::NoToken => Self::invalid_token(
                "This is not a token of this service; if it is an API key: POST it to /login, and send the access_token of the answer",
            ),
        }
    }
}

impl From<PermissionError> for Problem {
    fn from(error: PermissionError) -> Self {
        match error {
            PermissionError::MissingScope(scope) => {
                Self::new(ErrorCode::ScopeMissing, format!("This token has no permission to {}", scope.name()))
            }
            PermissionError::RateLimited(wait) => {
                Self::new(ErrorCode::RateLimited, "This client has sent more commands than its rate limit allows")
                    .retry_after(wait)
            }
        }
    }
}

impl From<ReplyMemoryError> for Problem {
    fn from(error: ReplyMemoryError) -> Self {
        Self::from(CacheError::from(StoreError::from(error)))
    }
}

impl From<CacheError> for Problem {
    fn from(error: CacheError) -> Self {
        let problem = match &error {
            CacheError::Store(error) => Self::from_store(error),
            CacheError::DecryptionFailed(_) => {
                Self::new(ErrorCode::DecryptionFailed, "The stored value is encrypted and cannot be decrypted here")
            }
            CacheError::NotSealed => Self::new(
                ErrorCode::ValueNotSealed,
                "The stored value is not encrypted, and this service reads only encrypted values",
            ),
            CacheError::SealingKeyMissing => Self::new(
                ErrorCode::EncryptionNotConfigured,
                "`encrypt` cannot be used: the file that ENCRYPTION_KEY names does not exist",
            ),
            CacheError::NoSealingKey => Self::new(
                ErrorCode::EncryptionNotConfigured,
                "`encrypt` cannot be used: this service has no ENCRYPTION_KEY",
            ),
            CacheError::NumbersNotSealed => Self::new(
                ErrorCode::NumbersNotEncrypted,
                "INCREMENT cannot be used: this service stores only encrypted values, and Redis adds to plain numbers",
            ),
            CacheError::NotANumber => Self::new(
                ErrorCode::NotANumber,
                "The value of this key is not a whole number of 64 bits; nothing was changed",
            ),
            CacheError::Overflow => {
                Self::new(ErrorCode::NumberOverflow, "The sum has more than 64 bits; nothing was changed")
            }
            CacheError::NotALimiter => Self::new(
                ErrorCode::NotALimiter,
                "This key holds something else than a rate limiter; nothing was changed",
            ),
            CacheError::ValueTooLarge { bytes, bytes_max } => Self::new(
                ErrorCode::ValueTooLarge,
                format!("`value` has {bytes} bytes; at most {bytes_max} are allowed"),
            ),
        };
        let problem = if problem.code().status().is_server_error() { problem.caused_by(&error) } else { problem };
        match error.advice() {
            Advice::RetryLater | Advice::RetryElsewhere => problem.retry_after(RETRY_WAIT),
            Advice::GiveUp => problem,
        }
    }
}

impl Problem {
    fn invalid_token(message: &'static str) -> Self {
        Self::new(ErrorCode::TokenInvalid, message).challenge(
            "Bearer realm=\"cachefront\", error=\"invalid_token\", error_description=\"The token is not valid\"",
        )
    }

    fn from_store(error: &StoreError) -> Self {
        let (code, message, effect) = match error {
            StoreError::Unavailable { .. } => {
                (ErrorCode::ShardUnavailable, "The shard of this key is unavailable", Some(UNCHANGED))
            }
            StoreError::MasterContested { .. } => (
                ErrorCode::ShardUnavailable,
                "Two nodes of this key's shard call themselves master, and it is not proven which of them is",
                Some(UNCHANGED),
            ),
            StoreError::MasterDeposed { .. } => (
                ErrorCode::ShardUnavailable,
                "This key's shard has another master now, which does not answer",
                Some(UNCHANGED),
            ),
            StoreError::MasterHeld { .. } => (
                ErrorCode::ShardUnavailable,
                "The master of this key's shard came back without the data that its replicas have",
                Some(UNCHANGED),
            ),
            StoreError::Unconfirmed { .. } => (
                ErrorCode::WriteUnconfirmed,
                "The connection to the shard of this key was lost",
                Some("the change may have been made, or may still be made"),
            ),
            StoreError::DeadlinePassed { .. } => (
                ErrorCode::DeadlinePassed,
                "The shard of this key did not answer in time",
                Some("a change may have been made, or may still be made"),
            ),
            StoreError::Overloaded { .. } => {
                (ErrorCode::Overloaded, "Too many requests wait for the shard of this key", Some(UNCHANGED))
            }
            StoreError::OutOfMemory { .. } => {
                (ErrorCode::OutOfMemory, "The shard of this key has no memory left", Some(UNCHANGED))
            }
            StoreError::ReplyTooLarge => (ErrorCode::ReplyTooLarge, REPLY_TOO_LARGE, None),
            StoreError::NoReplyMemory => (ErrorCode::Overloaded, NO_REPLY_MEMORY, Some(UNCHANGED)),
            StoreError::WrongType => (
                ErrorCode::WrongType,
                "This key holds a list, hash, set or other structure that another program made; this command works on plain values only",
                None,
            ),
        };
        Self::new(code, message).with_effect(effect).on_shard(error.shard().cloned())
    }
}
