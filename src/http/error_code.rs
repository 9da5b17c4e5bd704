//! The codes of all errors that callers see, each with its status, its outcome in metrics and its explanation.
//! docs/status-codes.md is written from this list.

#[cfg(test)]
mod document;

use crate::telemetry::metrics::{Label, Outcome};
use axum::http::StatusCode;

/// The properties of a code.
struct CodeSpec {
    name: &'static str,
    status: StatusCode,
    outcome: Outcome,
    meaning: &'static str,
    #[cfg_attr(not(test), expect(dead_code, reason = "only the documentation needs it"))]
    advice: &'static str,
}

macro_rules! error_codes {
    ($($(#[doc = $meaning:literal])+ $code:ident = $name:literal, $status:ident, $outcome:ident, $advice:literal;)+) => {
        /// A stable name of an error, for programs.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum ErrorCode { $($(#[doc = $meaning])+ $code,)+ }

        impl ErrorCode {
            /// All codes, ordered by their status.
            pub const ALL: &[Self] = &[$(Self::$code,)+];

            const fn spec(self) -> CodeSpec {
                match self {
                    $(Self::$code => CodeSpec {
                        name: $name,
                        status: StatusCode::$status,
                        outcome: Outcome::$outcome,
                        meaning: concat!($($meaning),+),
                        advice: $advice,
                    },)+
                }
            }
        }
    };
}

error_codes! {
    /// The body is not valid JSON; the message says where.
    InvalidJson = "invalid_json", BAD_REQUEST, ClientError, "Correct the request.";
    /// The body is not UTF-8; the message says where.
    InvalidUtf8 = "invalid_utf8", BAD_REQUEST, ClientError, "Correct the request.";
    /// The form of a login is malformed; the message says where.
    InvalidForm = "invalid_form", BAD_REQUEST, ClientError, "Correct the request.";
    /// The HTTP Basic credentials of a login are not the base64 of `id:secret`.
    InvalidBasic = "invalid_basic", BAD_REQUEST, ClientError, "Correct the request.";
    /// The command is JSON, but not an object.
    InvalidCommand = "invalid_command", BAD_REQUEST, ClientError, "Correct the request.";
    /// The login is JSON, but not an object.
    InvalidLogin = "invalid_login", BAD_REQUEST, ClientError, "Correct the request.";
    /// A field is missing or has a wrong value; the message names it.
    InvalidField = "invalid_field", BAD_REQUEST, ClientError, "Correct the request.";
    /// A field is not known, but its name or its purpose is close to a known one, such as `ttl` to `expire`. Other unknown
    /// fields are ignored.
    UnknownField = "unknown_field", BAD_REQUEST, ClientError, "Use the field that the message names, or leave it out.";
    /// The key is empty, too long, or has a control character.
    InvalidKey = "invalid_key", BAD_REQUEST, ClientError, "Correct the request.";
    /// The value of a WRITE has more than 128 arrays and objects within each other.
    ValueTooDeep = "value_too_deep", BAD_REQUEST, ClientError, "Store a flatter value, or its text as a string.";
    /// `command` is not the name of a command.
    UnknownCommand = "unknown_command", BAD_REQUEST, ClientError, "Correct the request.";
    /// The header `cache-sync-token` does not hold a token of this service.
    InvalidSyncToken = "invalid_sync_token", BAD_REQUEST, ClientError, "Send a token unchanged, or send none.";
    /// The header `request-timeout-ms` is not a whole number of milliseconds from 1.
    InvalidRequestTimeout = "invalid_request_timeout", BAD_REQUEST, ClientError, "Correct the header, or send none.";
    /// A field of the request's head is missing, occurs twice or has a value that is not supported: `Host`,
    /// `Authorization` or `Transfer-Encoding`; the message says which.
    InvalidHeader = "invalid_header", BAD_REQUEST, ClientError, "Correct the request.";
    /// The request came as plain HTTP to the port that speaks HTTPS. It was not encrypted on its way.
    HttpsRequired = "https_required", BAD_REQUEST, ClientError, "Use `https://` in place of `http://`.";
    /// The batch has more than 1,000 commands.
    BatchTooLarge = "batch_too_large", BAD_REQUEST, ClientError, "Split the batch.";
    /// The command has `"encrypt": true`, but the service has no `ENCRYPTION_KEY`, or the file with the key is missing.
    EncryptionNotConfigured = "encryption_not_configured", BAD_REQUEST, ClientError,
        "Have the operator configure a key.";
    /// An INCREMENT, but the service stores only encrypted values (`ENCRYPT_VALUES=required`), and Redis adds to plain numbers.
    NumbersNotEncrypted = "numbers_not_encrypted", BAD_REQUEST, ClientError, "READ the number, and WRITE the sum.";
    /// The `grant_type` of an OAuth2 login is not `client_credentials`.
    UnsupportedGrantType = "unsupported_grant_type", BAD_REQUEST, ClientError, "Use `client_credentials`.";
    /// The client has none of the scopes that the `scope` of a login asks for.
    InvalidScope = "invalid_scope", BAD_REQUEST, ClientError, "Ask for `read`, `write` or `delete`, or leave `scope` out.";
    /// The connection failed before the end of the body.
    BodyUnreadable = "body_unreadable", BAD_REQUEST, ClientError, "Send the request again.";
    /// The API key is missing, or belongs to no client, or not to the client that `client_id` names.
    InvalidApiKey = "invalid_api_key", UNAUTHORIZED, Unauthorized, "Check the key and `client_id`.";
    /// The request has no bearer token; `WWW-Authenticate` says so, too.
    TokenMissing = "token_missing", UNAUTHORIZED, Unauthorized, "Log in.";
    /// The token was not issued by this service, or its client no longer exists; `WWW-Authenticate` says so, too.
    TokenInvalid = "token_invalid", UNAUTHORIZED, Unauthorized, "Log in again.";
    /// The token has expired; `WWW-Authenticate` says so, too.
    TokenExpired = "token_expired", UNAUTHORIZED, Unauthorized, "Log in again.";
    /// The token lacks the scope that the command needs.
    ScopeMissing = "scope_missing", FORBIDDEN, Forbidden, "Have the operator grant the scope.";
    /// The path does not exist.
    UnknownPath = "unknown_path", NOT_FOUND, ClientError, "See `/docs`.";
    /// The path does not take this method.
    MethodNotAllowed = "method_not_allowed", METHOD_NOT_ALLOWED, ClientError, "Use a method that `Allow` lists.";
    /// The body did not arrive within 30 s.
    BodyTimeout = "body_timeout", REQUEST_TIMEOUT, ClientError, "Send the request again.";
    /// The key holds a list, hash, set or other structure of Redis; nothing was changed.
    WrongType = "wrong_type", CONFLICT, ClientError, "Use another key: another program owns this one.";
    /// The value of an INCREMENT's key is not a whole number of 64 bits; nothing was changed.
    NotANumber = "not_a_number", CONFLICT, ClientError, "Use another key, or WRITE a number first.";
    /// The result of an INCREMENT has more than 64 bits; nothing was changed.
    NumberOverflow = "number_overflow", CONFLICT, ClientError, "Add less, or WRITE another number.";
    /// The key of a RATE_LIMIT holds something else than a rate limiter; nothing was changed.
    NotALimiter = "not_a_limiter", CONFLICT, ClientError, "Use another key, or DELETE this one.";
    /// The body is larger than the service allows; the message says the limit.
    BodyTooLarge = "body_too_large", PAYLOAD_TOO_LARGE, ClientError, "Send less.";
    /// The value is larger than the service allows; the message says the limit.
    ValueTooLarge = "value_too_large", PAYLOAD_TOO_LARGE, ClientError, "Send less.";
    /// The value that a READ found, or the values of a batch together, have more than 64 MiB as they are written. A
    /// control character takes up to 6 bytes.
    ReplyTooLarge = "reply_too_large", PAYLOAD_TOO_LARGE, ClientError,
        "Ask for fewer keys at once, or read the value from Redis itself.";
    /// The body is not JSON, and for `/login` not a form either.
    UnsupportedMediaType = "unsupported_media_type", UNSUPPORTED_MEDIA_TYPE, ClientError, "Set `Content-Type`.";
    /// The body is compressed; `Accept-Encoding` says that it must not be.
    UnsupportedContentEncoding = "unsupported_content_encoding", UNSUPPORTED_MEDIA_TYPE, ClientError,
        "Send the body without `Content-Encoding`.";
    /// The admin port was asked under a host name that is not allowed. A page of another origin could do that (DNS
    /// rebinding).
    HostNotAllowed = "host_not_allowed", MISDIRECTED_REQUEST, ClientError,
        "Use an IP address or `localhost`, or have the operator list the name in `ADMIN_HOSTS`.";
    /// The client has sent more commands than its rate limit allows.
    RateLimited = "rate_limited", TOO_MANY_REQUESTS, RateLimited, "Wait for the time in `Retry-After`.";
    /// The head of an HTTP/2 request has more than 100 fields. Other heads that are too large get 431 without a body.
    HeadTooLarge = "head_too_large", REQUEST_HEADER_FIELDS_TOO_LARGE, ClientError, "Send fewer header fields.";
    /// The stored value was encrypted with a key that is not configured, or was changed, or was moved from another
    /// key.
    DecryptionFailed = "decryption_failed", INTERNAL_SERVER_ERROR, DecryptionFailed,
        "Have the operator check the encryption keys.";
    /// The stored value is not encrypted, and the service reads only encrypted values (`ENCRYPT_VALUES=required`).
    ValueNotSealed = "value_not_sealed", INTERNAL_SERVER_ERROR, DecryptionFailed,
        "Write the value again. Have the operator find out who wrote it.";
    /// The service has a defect.
    InternalError = "internal_error", INTERNAL_SERVER_ERROR, InternalError, "Report it.";
    /// No reachable node of the shard can run the command with the freshness that was asked for; nothing was changed.
    ShardUnavailable = "shard_unavailable", SERVICE_UNAVAILABLE, Unavailable, "Wait for the time in `Retry-After`.";
    /// Too many requests are running, too many commands wait for the shard, too many bodies are being read, or too many
    /// large replies are being sent; nothing was changed.
    Overloaded = "overloaded", SERVICE_UNAVAILABLE, Overloaded, "Wait for the time in `Retry-After`.";
    /// The connection to the shard was lost after the change was sent; it may have been made, or may still be made
    /// ([late changes](#late-changes)).
    WriteUnconfirmed = "write_unconfirmed", SERVICE_UNAVAILABLE, WriteUnconfirmed,
        "Read the key, or write it again. An INCREMENT or RATE_LIMIT that is sent again may count twice.";
    /// The shard did not answer within the deadline; a change may have been made, or may still be made
    /// ([late changes](#late-changes)).
    DeadlinePassed = "deadline_passed", GATEWAY_TIMEOUT, DeadlinePassed,
        "Read the key, or write it again. An INCREMENT or RATE_LIMIT that is sent again may count twice.";
    /// Redis refuses to store more, because its memory is full.
    OutOfMemory = "out_of_memory", INSUFFICIENT_STORAGE, OutOfMemory, "Have the operator check the memory of Redis.";
}

impl Label for ErrorCode {
    const ALL: &'static [Self] = Self::ALL;

    fn name(self) -> &'static str {
        self.as_str()
    }

    fn position(self) -> usize {
        self as usize
    }
}

impl ErrorCode {
    /// Returns the code as it stands in replies and logs.
    pub const fn as_str(self) -> &'static str {
        self.spec().name
    }

    /// Returns the HTTP status of a response with this code.
    pub const fn status(self) -> StatusCode {
        self.spec().status
    }

    /// Returns the explanation of the code, in Markdown.
    pub fn meaning(self) -> &'static str {
        self.spec().meaning.trim()
    }

    /// Returns the outcome that metrics count.
    pub const fn outcome(self) -> Outcome {
        self.spec().outcome
    }
}
