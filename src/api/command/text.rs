//! Fields that are texts.

use super::messages::kind;
use crate::http::Problem;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// Parses a field that must be a string. The text is borrowed if it has no escapes.
pub fn string<'a>(field: &str, raw: Option<&'a RawValue>) -> Result<Cow<'a, str>, Problem> {
    #[derive(Deserialize)]
    struct Borrowed<'a>(#[serde(borrow)] Cow<'a, str>);

    let raw = raw.ok_or_else(|| Problem::field(format!("`{field}` is missing")))?.get();
    if !raw.starts_with('"') {
        return Err(Problem::field(format!("`{field}` must be a string, not {}", kind(raw))));
    }
    let text: Borrowed<'a> = serde_json::from_str(raw)
        .map_err(|_| Problem::field(format!("`{field}` is not Unicode text: it has half of a surrogate pair")))?;
    Ok(text.0)
}
