//! Every code of an error, with the operations that answer with it and an example.

use crate::{
    api::{cache, login},
    http::ErrorCode as Code,
    types::CommandName::{self, Delete, Increment, RateLimit, Read, Write},
};
use CodePlace::{Cache, CacheAndLogin, Everywhere, Login, Undescribed};

/// The operations that answer with a code.
#[derive(Clone, Copy, PartialEq)]
pub enum CodePlace {
    /// All operations.
    Everywhere,
    /// Commands and logins.
    CacheAndLogin,
    /// Commands.
    Cache,
    /// Logins.
    Login,
    /// Only paths and methods that are not described.
    Undescribed,
}

impl CodePlace {
    /// Returns true if the operation of this path answers with the code.
    pub fn contains(self, path: &str) -> bool {
        match self {
            Everywhere => true,
            CacheAndLogin => [cache::PATH, login::PATH].contains(&path),
            Cache => path == cache::PATH,
            Login => path == login::PATH,
            Undescribed => false,
        }
    }
}

/// Every code with its place and the command and message of its example.
pub const CODES: &[(Code, CodePlace, Option<CommandName>, &str)] = &[
    (Code::InvalidJson, CacheAndLogin, None, "The body is not valid JSON: trailing comma at line 1 column 19"),
    (Code::InvalidUtf8, CacheAndLogin, None, "The body is not UTF-8: byte 25 is wrong"),
    (Code::InvalidForm, Login, None, "The form is not valid: duplicate field `client_id`"),
    (Code::InvalidBasic, Login, None, "The Basic credentials are not base64 of id:secret"),
    (
        Code::InvalidCommand,
        Cache,
        None,
        "A command is a JSON object such as {\"command\":\"READ\",\"key\":\"k\"}, not a string",
    ),
    (Code::InvalidLogin, Login, None, "A login is a JSON object such as {\"api_key\":\"...\"}"),
    (Code::InvalidField, CacheAndLogin, None, "`command` is missing"),
    (Code::UnknownField, CacheAndLogin, Some(Write), "`ttl` is not a field of a command; did you mean `expire`?"),
    (Code::InvalidKey, Cache, Some(Read), "`key` must not be empty"),
    (Code::ValueTooDeep, Cache, Some(Write), "`value` has more than 128 arrays and objects within each other"),
    (
        Code::UnknownCommand,
        Cache,
        None,
        "`command` must be READ, WRITE, DELETE, TOUCH, TTL, EXISTS, INCREMENT or RATE_LIMIT, in capitals, not \"read\"",
    ),
    (
        Code::InvalidSyncToken,
        Cache,
        None,
        "The header `cache-sync-token` does not hold a token of this service: send a token unchanged, or send none",
    ),
    (
        Code::InvalidRequestTimeout,
        Cache,
        None,
        "The header `request-timeout-ms` must be a whole number of milliseconds, at least 1",
    ),
    (Code::InvalidHeader, Everywhere, None, "The header `Host` occurs more than once: send one"),
    (Code::HttpsRequired, Undescribed, None, "This port speaks HTTPS"),
    (Code::BatchTooLarge, Cache, None, "The batch has more than 1000 commands: send several batches"),
    (Code::EncryptionNotConfigured, Cache, Some(Write), "`encrypt` cannot be used: this service has no ENCRYPTION_KEY"),
    (
        Code::NumbersNotEncrypted,
        Cache,
        Some(Increment),
        "INCREMENT cannot be used: this service stores only encrypted values, and Redis adds to plain numbers",
    ),
    (Code::UnsupportedGrantType, Login, None, "`grant_type` must be client_credentials"),
    (Code::InvalidScope, Login, None, "This client has none of the scopes that `scope` asks for"),
    (Code::BodyUnreadable, CacheAndLogin, None, "The body could not be read to its end: send the request again"),
    (Code::InvalidApiKey, Login, None, "Invalid secret"),
    (
        Code::TokenMissing,
        Cache,
        None,
        "This needs a token: send the header \"Authorization: Bearer <access_token>\" with one from /login",
    ),
    (Code::TokenInvalid, Cache, None, "The token is not valid: log in again"),
    (Code::TokenExpired, Cache, None, "The token has expired: log in again"),
    (Code::ScopeMissing, Cache, Some(Write), "This token has no permission to write"),
    (Code::UnknownPath, Undescribed, None, "This path does not exist: see /docs for the paths that do"),
    (Code::MethodNotAllowed, Undescribed, None, "This path takes only POST"),
    (Code::BodyTimeout, CacheAndLogin, None, "The body did not arrive within 30 s: send the request again"),
    (
        Code::WrongType,
        Cache,
        Some(Read),
        "This key holds a list, hash, set or other structure that another program made; this command works on plain values only",
    ),
    (
        Code::NotANumber,
        Cache,
        Some(Increment),
        "The value of this key is not a whole number of 64 bits; nothing was changed",
    ),
    (Code::NumberOverflow, Cache, Some(Increment), "The sum has more than 64 bits; nothing was changed"),
    (
        Code::NotALimiter,
        Cache,
        Some(RateLimit),
        "This key holds something else than a rate limiter; nothing was changed",
    ),
    (Code::BodyTooLarge, CacheAndLogin, None, "The body may have at most 50397184 bytes"),
    (Code::ValueTooLarge, Cache, Some(Write), "`value` has 8388609 bytes; at most 8388608 are allowed"),
    (
        Code::ReplyTooLarge,
        Cache,
        Some(Read),
        "The values of this reply are too large together: a reply has at most 64 MiB, so ask for fewer keys at once",
    ),
    (
        Code::UnsupportedMediaType,
        CacheAndLogin,
        None,
        "Send JSON, and say so with the header \"Content-Type: application/json\"",
    ),
    (
        Code::UnsupportedContentEncoding,
        CacheAndLogin,
        None,
        "Send the body as it is, without Content-Encoding: compressed bodies are not accepted",
    ),
    (Code::HostNotAllowed, Undescribed, None, "This host name is not allowed"),
    (Code::RateLimited, Cache, Some(Read), "This client has sent more commands than its rate limit allows"),
    (Code::HeadTooLarge, Everywhere, None, "The head of a request may have at most 100 fields"),
    (Code::DecryptionFailed, Cache, Some(Read), "The stored value is encrypted and cannot be decrypted here"),
    (
        Code::ValueNotSealed,
        Cache,
        Some(Read),
        "The stored value is not encrypted, and this service reads only encrypted values",
    ),
    (
        Code::InternalError,
        Everywhere,
        None,
        "The service has a defect; the request may or may not have been carried out",
    ),
    (Code::ShardUnavailable, Cache, Some(Delete), "The shard of this key is unavailable; nothing was changed"),
    (Code::Overloaded, Everywhere, None, "Too many requests are being served; this one was not carried out"),
    (
        Code::WriteUnconfirmed,
        Cache,
        Some(Write),
        "The connection to the shard of this key was lost; the change may have been made, or may still be made",
    ),
    (
        Code::DeadlinePassed,
        Cache,
        Some(Write),
        "The shard of this key did not answer in time; a change may have been made, or may still be made",
    ),
    (Code::OutOfMemory, Cache, Some(Write), "The shard of this key has no memory left; nothing was changed"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_described_once() {
        let described: Vec<&str> = CODES.iter().map(|(code, ..)| code.as_str()).collect();
        let all: Vec<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(described, all, "CODES lists the codes in the order of ErrorCode");
    }
}
