//! The schemas of replies and errors.

use super::names::{CommandNameSchema, EncodingSchema, ErrorStatusSchema};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// The reply to one command, or the replies to a batch in order.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
#[schema(as = CommandResponse)]
#[expect(dead_code, reason = "described, never made")]
pub enum ResponseSchema {
    One(ReplySchema),
    Batch(Vec<ItemReplySchema>),
}

/// The reply to a command of a batch: that of a command that ran, or the error of one that failed.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
#[schema(as = BatchReply)]
#[expect(dead_code, reason = "described, never made")]
pub enum ItemReplySchema {
    Ran(ReplySchema),
    Failed(ErrorSchema),
}

/// The status of a command that ran.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[schema(as = ReplyStatus)]
#[expect(dead_code, reason = "described, never made")]
pub enum ReplyStatusSchema {
    Success,
    NotFound,
    Unconfirmed,
    Conflict,
    Limited,
}

/// The reply to a command that ran.
#[derive(Serialize, ToSchema)]
#[schema(as = Reply)]
pub struct ReplySchema {
    /// The name of the command.
    command: CommandNameSchema,
    /// `SUCCESS`; `NOT_FOUND` for a key that does not exist; `UNCONFIRMED` for a WRITE that fewer replicas have than it asked
    /// for; `CONFLICT` for a WRITE that stored nothing because of its condition; or `LIMITED` for an INCREMENT that would have
    /// passed its limit.
    status: ReplyStatusSchema,
    /// READ and WRITE: the value, which may be `null`. INCREMENT: the number.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Value, required = false)]
    value: Option<Value>,
    #[schema(inline, nullable = false)]
    encoding: Option<EncodingSchema>,
    /// WRITE that asked for replicas: the number of replicas that have the value.
    #[schema(nullable = false, example = 1)]
    replicas: Option<u32>,
    /// TTL, TOUCH and INCREMENT: the seconds that the key has left; `null` for a key that does not expire.
    #[schema(required = false, example = 3600)]
    ttl: Option<u64>,
    /// RATE_LIMIT: the answer.
    #[schema(nullable = false)]
    allowed: Option<bool>,
    /// RATE_LIMIT: the uses that are left.
    #[schema(nullable = false, example = 29)]
    remaining: Option<u32>,
    /// RATE_LIMIT: the milliseconds after which the same question is answered with `true`; 0 if it was.
    #[schema(nullable = false, example = 0)]
    retry_after_ms: Option<u64>,
    /// RATE_LIMIT: the milliseconds after which all uses are left again.
    #[schema(nullable = false, example = 120_000)]
    reset_ms: Option<u64>,
    /// One sentence, for people.
    #[schema(nullable = false)]
    message: Option<String>,
}

/// The error of a request, or of a command of a batch.
#[derive(Serialize, ToSchema)]
#[schema(as = Error)]
pub struct ErrorSchema {
    /// The name of the command, where it is known.
    #[schema(nullable = false)]
    command: Option<CommandNameSchema>,
    #[schema(inline)]
    status: ErrorStatusSchema,
    /// The name of the error, for programs. Later versions may have further names.
    #[schema(example = "shard_unavailable")]
    code: String,
    /// One sentence, for people.
    #[schema(example = "The shard of this key is unavailable; nothing was changed")]
    message: String,
    /// The code in OAuth2 (RFC 6749 §5.2), in errors of a login.
    #[schema(nullable = false, example = "invalid_client")]
    error: Option<String>,
    /// The message again, in errors of a login.
    #[schema(nullable = false, example = "Invalid secret")]
    error_description: Option<String>,
    /// In a batch: the milliseconds after which the command may be sent again, where `Retry-After` would tell it.
    #[schema(nullable = false, example = 1000)]
    retry_after_ms: Option<u64>,
}
