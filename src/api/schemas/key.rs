//! The schema of keys.

use serde::Serialize;
use utoipa::ToSchema;

/// 1 to 512 bytes of UTF-8 without control characters. An integer stands for its text.
#[derive(Serialize, ToSchema)]
#[schema(as = Key, min_length = 1, max_length = 512, pattern = "^[^\\x00-\\x1F\\x7F-\\x9F]*$", example = "user:42")]
pub struct KeySchema(String);
