//! The schemas of the commands that work on a key without its value, or on a number.

use super::{
    key::KeySchema,
    names::{
        ConsistencySchema, ExistsNameSchema, IncrementNameSchema, RateLimitNameSchema, TouchNameSchema, TtlNameSchema,
    },
};
use serde::Serialize;
use utoipa::ToSchema;

/// Gives a key another time to live.
#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = TouchCommand)]
pub struct TouchSchema {
    #[schema(inline)]
    command: TouchNameSchema,
    /// The key.
    #[schema(value_type = KeySchema)]
    key: String,
    /// The seconds to live, from now on. Without it, the configured default; with 0 or less, the key never expires.
    #[schema(maximum = 3_155_760_000_i64, example = 3600)]
    expire: Option<i128>,
}

/// Returns the seconds that a key has left.
#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = TtlCommand)]
pub struct TtlSchema {
    #[schema(inline)]
    command: TtlNameSchema,
    /// The key.
    #[schema(value_type = KeySchema)]
    key: String,
    #[schema(inline)]
    consistency: Option<ConsistencySchema>,
}

/// Tells if a key exists.
#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ExistsCommand)]
pub struct ExistsSchema {
    #[schema(inline)]
    command: ExistsNameSchema,
    /// The key.
    #[schema(value_type = KeySchema)]
    key: String,
    #[schema(inline)]
    consistency: Option<ConsistencySchema>,
}

/// Adds to a number, which is 0 where the key does not exist. Nobody else's addition is lost.
#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = IncrementCommand)]
pub struct IncrementSchema {
    #[schema(inline)]
    command: IncrementNameSchema,
    /// The key.
    #[schema(value_type = KeySchema)]
    key: String,
    /// The number that is added. Without it, 1.
    #[schema(minimum = -9_223_372_036_854_775_808_i64, maximum = 9_223_372_036_854_775_807_i64, example = 1)]
    by: Option<i64>,
    /// The seconds to live of a key that is created. Without it, the configured default; with 0 or less, it never expires. A
    /// key that exists keeps its own.
    #[schema(maximum = 3_155_760_000_i64, example = 3600)]
    expire: Option<i128>,
    /// The smallest result of a negative addition; one below it is not made, and the status is `LIMITED`.
    #[schema(minimum = -9_223_372_036_854_775_808_i64, maximum = 9_223_372_036_854_775_807_i64, example = 0)]
    min: Option<i64>,
    /// The largest result of a positive addition; one above it is not made, and the status is `LIMITED`.
    #[schema(minimum = -9_223_372_036_854_775_808_i64, maximum = 9_223_372_036_854_775_807_i64, example = 100)]
    max: Option<i64>,
}

/// Asks a rate limiter for a use (GCRA): `limit` uses at once, and one more each `per` / `limit` seconds.
#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RateLimitCommand)]
pub struct RateLimitSchema {
    #[schema(inline)]
    command: RateLimitNameSchema,
    /// The key.
    #[schema(value_type = KeySchema)]
    key: String,
    /// The uses that are allowed in `per` seconds.
    #[schema(minimum = 1, maximum = 1_000_000, example = 30)]
    limit: u32,
    /// The seconds in which they are allowed.
    #[schema(minimum = 1, maximum = 31_536_000, example = 60)]
    per: u32,
    /// The uses that this question takes, at most `limit`. Without it, 1; with 0, it only looks.
    #[schema(minimum = 0, maximum = 1_000_000, example = 1)]
    cost: Option<u32>,
}
