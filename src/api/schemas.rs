//! The schemas of the OpenAPI description. They exist only to be described: `command` and `login` parse requests,
//! `reply` and `http/problem` write responses.

mod atomic;
mod key;
mod names;
mod replies;

pub use replies::{ErrorSchema, ResponseSchema};

use atomic::{ExistsSchema, IncrementSchema, RateLimitSchema, TouchSchema, TtlSchema};
use key::KeySchema;
use names::{
    ConsistencySchema, DeleteNameSchema, EncodingSchema, GrantTypeSchema, ReadNameSchema, TokenTypeSchema,
    WriteNameSchema,
};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// The credentials of a client as JSON.
#[derive(Serialize, ToSchema)]
#[schema(as = LoginRequest)]
pub struct LoginSchema {
    /// The API key. `client_secret` is accepted in its place.
    #[schema(example = "the-key-that-make-run-prints")]
    api_key: String,
    /// The name of the client. With the shared secret it may be any name.
    #[schema(example = "my-service")]
    client_id: Option<String>,
    /// The permissions that are asked for, separated by spaces: `read`, `write`, `delete`. Without it, all that the client has.
    #[schema(example = "read")]
    scope: Option<String>,
    /// `client_credentials`, which is meant without it, too.
    #[schema(inline, example = "client_credentials")]
    grant_type: Option<GrantTypeSchema>,
}

/// The client credentials grant of OAuth2 (RFC 6749 §4.4).
#[derive(Serialize, ToSchema)]
#[schema(as = ClientCredentials)]
pub struct ClientCredentialsSchema {
    #[schema(inline)]
    grant_type: GrantTypeSchema,
    /// The name of the client. It may be in HTTP Basic instead. With the shared secret it may be any name.
    #[schema(nullable = false, example = "my-service")]
    client_id: Option<String>,
    /// The API key. It may be in HTTP Basic instead.
    #[schema(nullable = false, example = "the-key-that-make-run-prints")]
    client_secret: Option<String>,
    /// The permissions that are asked for, separated by spaces: `read`, `write`, `delete`. Without it, all that the client has.
    #[schema(nullable = false, example = "read")]
    scope: Option<String>,
}

/// The token of a login that succeeded.
#[derive(Serialize, ToSchema)]
#[schema(as = Token)]
pub struct TokenSchema {
    /// The token, for the header `Authorization`.
    access_token: String,
    #[schema(inline)]
    token_type: TokenTypeSchema,
    /// Seconds until the token expires.
    #[schema(example = 900)]
    expires_in: u64,
    /// The permissions of the token, where some were asked for.
    #[schema(nullable = false, example = "read")]
    scope: Option<String>,
}

/// One command, or a batch of them.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
#[schema(as = CommandRequest)]
#[expect(dead_code, reason = "described, never made")]
pub enum RequestSchema {
    One(CommandSchema),
    Batch(BatchSchema),
}

/// Up to 1,000 commands. Each has a reply of its own, and a command that fails does not fail the others.
#[derive(Serialize, ToSchema)]
#[schema(as = CommandBatch, max_items = 1000)]
pub struct BatchSchema(Vec<CommandSchema>);

/// One command. READ, WRITE and DELETE ignore unknown fields, unless they are close to a known one, such as `ttl` to `expire`.
/// The other commands refuse them.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
#[schema(as = Command, discriminator(property_name = "command", mapping(
    ("READ" = "#/components/schemas/ReadCommand"),
    ("WRITE" = "#/components/schemas/WriteCommand"),
    ("DELETE" = "#/components/schemas/DeleteCommand"),
    ("TOUCH" = "#/components/schemas/TouchCommand"),
    ("TTL" = "#/components/schemas/TtlCommand"),
    ("EXISTS" = "#/components/schemas/ExistsCommand"),
    ("INCREMENT" = "#/components/schemas/IncrementCommand"),
    ("RATE_LIMIT" = "#/components/schemas/RateLimitCommand"),
)))]
#[expect(dead_code, reason = "described, never made")]
pub enum CommandSchema {
    Read(ReadSchema),
    Write(WriteSchema),
    Delete(DeleteSchema),
    Touch(TouchSchema),
    Ttl(TtlSchema),
    Exists(ExistsSchema),
    Increment(IncrementSchema),
    RateLimit(RateLimitSchema),
}

/// Returns the value of a key.
#[derive(Serialize, ToSchema)]
#[schema(as = ReadCommand)]
pub struct ReadSchema {
    #[schema(inline)]
    command: ReadNameSchema,
    /// The key.
    #[schema(value_type = KeySchema)]
    key: String,
    #[schema(inline)]
    consistency: Option<ConsistencySchema>,
    /// Gives the key this many seconds to live, from now on; with 0 or less, the value never expires. Needs the permission to
    /// write, too.
    #[schema(maximum = 3_155_760_000_i64, example = 3600)]
    touch: Option<i128>,
}

/// Stores a value under a key.
#[derive(Serialize, ToSchema)]
#[schema(as = WriteCommand)]
pub struct WriteSchema {
    #[schema(inline)]
    command: WriteNameSchema,
    /// The key.
    #[schema(value_type = KeySchema)]
    key: String,
    /// Any JSON value, `null` included.
    value: Value,
    #[schema(inline)]
    encoding: Option<EncodingSchema>,
    /// The seconds to live. Without it, the configured default; with 0 or less, the value never expires.
    #[schema(maximum = 3_155_760_000_i64, example = 3600)]
    expire: Option<i128>,
    /// Encrypts the value before it leaves for Redis.
    #[schema(example = false)]
    encrypt: Option<bool>,
    /// Waits until this many replicas have the value. The reply says how many have it; if they are fewer, its status is
    /// `UNCONFIRMED`.
    #[schema(minimum = 0, maximum = 100, example = 1)]
    replicas: Option<u32>,
    /// Stores nothing if the key exists. The status is then `CONFLICT`.
    #[schema(example = false)]
    if_absent: Option<bool>,
    /// Keeps the lifetime of the value that is replaced. Excludes `expire` and `if_absent`.
    #[schema(example = false)]
    keep_expire: Option<bool>,
}

/// Deletes a key.
#[derive(Serialize, ToSchema)]
#[schema(as = DeleteCommand)]
pub struct DeleteSchema {
    #[schema(inline)]
    command: DeleteNameSchema,
    /// The key.
    #[schema(value_type = KeySchema)]
    key: String,
}
