//! Numbers of commands, in any form that JSON has for them.

use super::messages::number_or_kind;
use crate::{
    http::Problem,
    types::{TTL_SECS_MAX, Ttl},
};
use serde_json::value::RawValue;
use std::ops::RangeInclusive;

/// Returns true if the JSON is an integer, however large.
pub fn is_integer(raw: &str) -> bool {
    raw.strip_prefix('-').unwrap_or(raw).bytes().all(|byte| byte.is_ascii_digit())
}

/// Parses a time to live; `None` if the field is absent.
pub fn ttl(field: &str, raw: Option<&RawValue>) -> Result<Option<Ttl>, Problem> {
    let Some(raw) = given(raw) else { return Ok(None) };
    let secs = whole_number(raw).ok_or_else(|| {
        Problem::field(format!("`{field}` must be a whole number of seconds, not {}", number_or_kind(raw)))
    })?;
    Ttl::from_secs(secs).map(Some).ok_or_else(|| {
        Problem::field(format!("`{field}` may be at most {TTL_SECS_MAX} seconds; 0 means that the value never expires"))
    })
}

/// Returns the JSON of a field, unless it is `null`.
fn given(raw: Option<&RawValue>) -> Option<&str> {
    raw.map(RawValue::get).filter(|raw| *raw != "null")
}

/// Returns the problem of a field that is missing.
pub fn missing(field: &str) -> Problem {
    Problem::field(format!("`{field}` is missing"))
}

/// Parses a whole number of 64 bits.
pub fn integer(field: &str, raw: Option<&RawValue>) -> Result<Option<i64>, Problem> {
    let Some(raw) = given(raw) else { return Ok(None) };
    let number = if is_integer(raw) { raw.parse().ok() } else { whole_number(raw) };
    number.map(Some).ok_or_else(|| {
        Problem::field(format!("`{field}` must be a whole number of 64 bits, not {}", number_or_kind(raw)))
    })
}

/// Parses a whole number between two others.
pub fn bounded(field: &str, raw: Option<&RawValue>, bounds: RangeInclusive<u32>) -> Result<Option<u32>, Problem> {
    let Some(raw) = given(raw) else { return Ok(None) };
    let number = whole_number(raw).and_then(|number| u32::try_from(number).ok());
    number.filter(|number| bounds.contains(number)).map(Some).ok_or_else(|| {
        let (least, most) = (bounds.start(), bounds.end());
        let given = number_or_kind(raw);
        Problem::field(format!("`{field}` must be a whole number from {least} to {most}, not {given}"))
    })
}

/// Parses a whole number in any form that JSON has for it, such as `3600.0` or `36e2`. One that is too large becomes the
/// largest or smallest number.
fn whole_number(raw: &str) -> Option<i64> {
    if let Ok(number) = raw.parse() {
        return Some(number);
    }
    let number: f64 = raw.parse().ok()?;
    if number.is_finite() && number.fract() != 0.0 {
        return None;
    }
    Some(format!("{number:.0}").parse().unwrap_or(if number < 0.0 { i64::MIN } else { i64::MAX }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_number_may_have_any_form_of_json() {
        for (text, number) in [
            ("3600", Some(3600)),
            ("3600.0", Some(3600)),
            ("3.6e3", Some(3600)),
            ("36000E-1", Some(3600)),
            ("-0.0", Some(0)),
            ("-5.0", Some(-5)),
            ("1e300", Some(i64::MAX)),
            ("1e400", Some(i64::MAX)),
            ("-1e400", Some(i64::MIN)),
            ("99999999999999999999", Some(i64::MAX)),
            ("0.5", None),
            ("-1.5e0", None),
            ("1e-400", Some(0)),
            ("true", None),
            ("\"60\"", None),
            ("[1]", None),
        ] {
            assert_eq!(whole_number(text), number, "{text}");
        }
    }
}
