//! The value of a WRITE: any JSON, or bytes in base64.

use super::{
    messages::{kind, shortened},
    text::string,
};
use crate::{
    http::{ErrorCode, Problem},
    types::Value,
};
use base64::{
    DecodeError, Engine, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use serde_json::value::RawValue;
use std::borrow::Cow;

/// The base64 of replies; the padding at its end may be absent.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Parses a value, which has this encoding.
pub fn value<'a>(raw: Option<&'a RawValue>, encoding: Option<&RawValue>) -> Result<Value<'a>, Problem> {
    let raw = raw.ok_or_else(|| Problem::field("`value` is missing"))?;
    match encoding.map(RawValue::get) {
        None | Some("null") => {
            Value::from_json(raw).map_err(|error| Problem::new(ErrorCode::ValueTooDeep, error.to_string()))
        }
        Some("\"base64\"") => bytes(raw),
        Some(other) => {
            Err(Problem::field(format!("`encoding` can only be \"base64\", or absent, not {}", shortened(other))))
        }
    }
}

fn bytes(raw: &RawValue) -> Result<Value<'_>, Problem> {
    if !raw.get().starts_with('"') {
        let given = kind(raw.get());
        return Err(Problem::field(format!("`value` must be a string of base64, as `encoding` says, not {given}")));
    }
    let text = string("value", Some(raw))?;
    let bytes = BASE64.decode(text.as_bytes()).map_err(|error| not_base64(&error))?;
    Ok(Value::Bytes(Cow::Owned(bytes)))
}

fn not_base64(error: &DecodeError) -> Problem {
    let reason = match error {
        DecodeError::InvalidByte(at, _) => format!("byte {at} is not one of its characters"),
        DecodeError::InvalidLastSymbol(at, _) => {
            format!("its last character, at byte {at}, has bits that are not used")
        }
        DecodeError::InvalidLength(_) | DecodeError::InvalidPadding => "it is not complete".to_owned(),
    };
    Problem::field(format!("`value` is not base64, as `encoding` says: {reason}"))
}
