//! A login in JSON, as clients of the Python service send it.

use super::fields::{KNOWN, LoginFields, is_misnamed_key, only_key, refuse_other_grant};
use crate::{
    api::{body_text::body_text, near_miss::PlainName},
    http::{ErrorCode, Problem},
};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// The fields of a JSON login. A field that occurs twice is an error, as in a command.
#[derive(Deserialize)]
struct RawFields<'a> {
    #[serde(borrow)]
    client_id: Option<&'a RawValue>,
    #[serde(borrow)]
    api_key: Option<&'a RawValue>,
    #[serde(borrow)]
    client_secret: Option<&'a RawValue>,
    #[serde(borrow)]
    scope: Option<&'a RawValue>,
    #[serde(borrow)]
    grant_type: Option<&'a RawValue>,
}

/// Parses a login. Unknown fields are ignored, unless they are close to a known one.
pub fn parse(bytes: &[u8]) -> Result<LoginFields, Problem> {
    let text = body_text(bytes)?;
    if text.trim_ascii().is_empty() {
        return Ok(LoginFields::default());
    }
    if !text.trim_ascii_start().starts_with('{') && serde_json::from_str::<&RawValue>(text).is_ok() {
        return Err(Problem::new(ErrorCode::InvalidLogin, "A login is a JSON object such as {\"api_key\":\"...\"}"));
    }
    let fields: RawFields<'_> = serde_json::from_str(text)
        .map_err(|error| Problem::new(ErrorCode::InvalidJson, format!("The body is not valid JSON: {error}")))?;
    refuse_other_grant(text_field("grant_type", fields.grant_type)?.as_deref())?;
    let api_key = text_field("api_key", fields.api_key)?;
    let api_key = only_key(api_key, text_field("client_secret", fields.client_secret)?)?;
    let mut unknown = unknown_fields(text);
    let misnamed_key = if api_key.is_none() { unknown.iter().position(|name| is_misnamed_key(name)) } else { None };
    let misnamed_key = misnamed_key.map(|position| unknown.swap_remove(position));
    if misnamed_key.is_none() {
        refuse_near_misses(&unknown)?;
    }
    Ok(LoginFields {
        client_id: text_field("client_id", fields.client_id)?,
        api_key,
        scope: text_field("scope", fields.scope)?,
        misnamed_key,
    })
}

fn text_field(name: &str, raw: Option<&RawValue>) -> Result<Option<String>, Problem> {
    let Some(raw) = raw else { return Ok(None) };
    serde_json::from_str(raw.get()).map_err(|_| Problem::field(format!("`{name}` must be a string")))
}

fn unknown_fields(text: &str) -> Vec<String> {
    let fields: BTreeMap<String, &RawValue> = serde_json::from_str(text).unwrap_or_default();
    fields.into_keys().filter(|name| !KNOWN.contains(&name.as_str())).collect()
}

fn refuse_near_misses(unknown: &[String]) -> Result<(), Problem> {
    let near_miss = unknown.iter().find_map(|name| Some((name, PlainName::of(name)?.close_to(&KNOWN)?)));
    near_miss.map_or(Ok(()), |(name, known)| {
        let message = format!("`{name}` is not a field of a login; did you mean `{known}`?");
        Err(Problem::new(ErrorCode::UnknownField, message))
    })
}
