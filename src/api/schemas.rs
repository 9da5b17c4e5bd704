//! Shapes for the OpenAPI description. They exist only to be described: requests are read by `command` and `login`,
//! replies are written by `reply` and `problem`.

use serde::Serialize;
use serde_json::Value as Json;
use utoipa::ToSchema;

#[derive(Serialize, ToSchema)]
pub struct Login {
    /// The API key.
    api_key: String,
    /// With a key of one's own, the client's name; free with the shared secret.
    client_id: Option<String>,
    /// `client_credentials`; without effect.
    grant_type: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub struct Granted {
    access_token: String,
    #[schema(example = "Bearer")]
    token_type: String,
    /// Seconds.
    #[schema(example = 900)]
    expires_in: u64,
}

#[derive(Serialize, ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "described, never made")]
pub enum Commands {
    One(Command),
    Batch(Vec<Command>),
}

#[derive(Serialize, ToSchema)]
#[expect(clippy::struct_field_names, reason = "the protocol names the field")]
pub struct Command {
    command: Name,
    /// 1 to 512 bytes of UTF-8 without control characters.
    #[schema(min_length = 1, max_length = 512, example = "k")]
    key: String,
    /// Of a WRITE, and then required: any JSON value.
    value: Option<Json>,
    /// Of a WRITE: seconds to live; absent, the configured default; 0 or less, for ever.
    expire: Option<i64>,
    /// Of a WRITE: encrypt the value before it leaves for Redis.
    encrypt: Option<bool>,
    /// Of a WRITE: wait until so many replicas have it. How many had it is in the reply; if they were fewer, its
    /// status is `UNCONFIRMED`.
    #[schema(minimum = 0, maximum = 100)]
    replicas: Option<u32>,
    /// Of a READ: `master` reads from the master, which is never behind.
    #[schema(example = "master")]
    consistency: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
#[expect(dead_code, reason = "described, never made")]
pub enum Name {
    Read,
    Write,
    Delete,
}

#[derive(Serialize, ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "described, never made")]
pub enum Replies {
    One(Reply),
    Batch(Vec<Reply>),
}

#[derive(Serialize, ToSchema)]
pub struct Reply {
    command: Option<Name>,
    /// `SUCCESS`, `NOT_FOUND`, for a WRITE that asked for replicas `UNCONFIRMED`, or, for an item of a batch, `ERROR`.
    #[schema(example = "SUCCESS")]
    status: String,
    /// Of a READ or WRITE.
    value: Option<Json>,
    /// Of a WRITE that asked for replicas: how many had it.
    replicas: Option<u32>,
    /// `base64` where the value is bytes that are no text.
    encoding: Option<String>,
    message: Option<String>,
    /// Of an item of a batch that failed.
    code: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub struct Error {
    command: Option<Name>,
    #[schema(example = "ERROR")]
    status: String,
    /// Stable, for programs.
    #[schema(example = "shard_unavailable")]
    code: String,
    /// One sentence, for people.
    message: String,
}
