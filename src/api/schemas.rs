//! The schemas of the OpenAPI description. They exist only to be described: `command` and `login` parse requests,
//! `reply` and `http/problem` write responses.

use serde::Serialize;
use serde_json::Value as Json;
use utoipa::ToSchema;

/// A login.
#[derive(Serialize, ToSchema)]
#[schema(as = Login)]
pub struct LoginSchema {
    /// The API key. `client_secret` is accepted in its place.
    api_key: String,
    /// The name of the client. With the shared secret it may be any name.
    client_id: Option<String>,
    /// The permissions that are asked for, separated by spaces: `read`, `write`, `delete`. Without it, all that the client has.
    #[schema(example = "read")]
    scope: Option<String>,
    /// `client_credentials`. The field has no effect.
    grant_type: Option<String>,
}

/// The token of a login that succeeded.
#[derive(Serialize, ToSchema)]
#[schema(as = Granted)]
pub struct GrantedSchema {
    /// The token, for the header `Authorization`.
    access_token: String,
    /// The scheme of the header `Authorization`.
    #[schema(example = "Bearer")]
    token_type: String,
    /// Seconds until the token expires.
    #[schema(example = 900)]
    expires_in: u64,
    /// The permissions of the token, where some were asked for.
    #[schema(example = "read")]
    scope: Option<String>,
}

/// One command or a batch.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
#[schema(as = Commands)]
#[expect(dead_code, reason = "described, never made")]
pub enum CommandsSchema {
    One(CommandSchema),
    Batch(Vec<CommandSchema>),
}

/// A command.
#[derive(Serialize, ToSchema)]
#[schema(as = Command)]
pub struct CommandSchema {
    /// The name of the command.
    command: CommandNameSchema,
    /// 1 to 512 bytes of UTF-8 without control characters. An integer stands for its text.
    #[schema(min_length = 1, max_length = 512, example = "k")]
    key: String,
    /// Any JSON value. A WRITE requires it.
    value: Option<Json>,
    /// WRITE: `base64` if the value is the base64 of bytes.
    #[schema(example = "base64")]
    encoding: Option<String>,
    /// WRITE: the seconds to live. Without it, the configured default; with 0 or less, the value never expires.
    expire: Option<i64>,
    /// WRITE: encrypt the value before it leaves for Redis.
    encrypt: Option<bool>,
    /// WRITE: wait until this many replicas have the value. The reply says how many have it; if they are fewer, its
    /// status is `UNCONFIRMED`.
    #[schema(minimum = 0, maximum = 100)]
    replicas: Option<u32>,
    /// READ: `master` reads from the master, which is never behind.
    #[schema(example = "master")]
    consistency: Option<String>,
}

/// The name of a command.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
#[schema(as = Name)]
#[expect(dead_code, reason = "described, never made")]
pub enum CommandNameSchema {
    Read,
    Write,
    Delete,
}

/// The reply to one command, or the replies to a batch in order.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
#[schema(as = Replies)]
#[expect(dead_code, reason = "described, never made")]
pub enum RepliesSchema {
    One(ReplySchema),
    Batch(Vec<ReplySchema>),
}

/// The reply to a command.
#[derive(Serialize, ToSchema)]
#[schema(as = Reply)]
pub struct ReplySchema {
    /// The name of the command.
    command: Option<CommandNameSchema>,
    /// `SUCCESS`, `NOT_FOUND`, for a WRITE that asked for replicas `UNCONFIRMED`, or, for an item of a batch, `ERROR`.
    #[schema(example = "SUCCESS")]
    status: String,
    /// READ and WRITE: the value.
    value: Option<Json>,
    /// WRITE that asked for replicas: the number of replicas that have the value.
    replicas: Option<u32>,
    /// `base64` where the value is bytes.
    encoding: Option<String>,
    /// One sentence, for people.
    message: Option<String>,
    /// The code of an item of a batch that failed.
    code: Option<String>,
}

/// An error.
#[derive(Serialize, ToSchema)]
#[schema(as = Error)]
pub struct ErrorSchema {
    /// The name of the command, where it is known.
    command: Option<CommandNameSchema>,
    /// `ERROR`.
    #[schema(example = "ERROR")]
    status: String,
    /// Stable, for programs.
    #[schema(example = "shard_unavailable")]
    code: String,
    /// One sentence, for people.
    message: String,
    /// In a batch: the milliseconds after which the command may be sent again, where `Retry-After` would tell it.
    retry_after_ms: Option<u64>,
}
