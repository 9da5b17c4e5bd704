//! Values, and their encoding in Redis.
//!
//! A text is stored as its UTF-8 bytes, so that other Redis clients can read it, and texts of other clients can be read
//! here. All other values are envelopes: [`MARK`], [`FORMAT`], a kind, and the payload. No UTF-8 text contains the byte
//! 0xC1, so an envelope is never mistaken for a text.

use super::json_depth::{ValueTooDeep, is_too_deep};
use serde_json::value::RawValue;
use std::borrow::Cow;

/// The first byte of an envelope.
const MARK: u8 = 0xC1;
/// The version of the envelope's format.
const FORMAT: u8 = 1;
/// The kind of an envelope with JSON.
const JSON: u8 = 1;
/// The kind of an envelope with bytes that would be mistaken for a text or for an envelope without it.
const BYTES: u8 = 2;
/// The kind of an envelope with encrypted bytes.
const SEALED: u8 = 3;

/// A value that a caller stores.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// The text of a JSON string.
    Text(Cow<'a, str>),
    /// The source text of any other JSON value, unchanged.
    Json(Cow<'a, str>),
    /// Bytes, which are base64 in requests and replies.
    Bytes(Cow<'a, [u8]>),
}

impl<'a> Value<'a> {
    /// Returns the value of JSON in a request. The value of an envelope that another program stored may be deeper.
    pub fn from_json(raw: &'a RawValue) -> Result<Self, ValueTooDeep> {
        let text = raw.get();
        if !text.starts_with('"') {
            return if is_too_deep(text.as_bytes()) { Err(ValueTooDeep) } else { Ok(Self::Json(Cow::Borrowed(text))) };
        }
        // A string with a lone surrogate (`"\ud800"`) is valid JSON but no Unicode text: its source text is kept.
        Ok(match serde_json::from_str::<Unescaped<'_>>(text) {
            Ok(Unescaped(decoded)) => Self::Text(decoded),
            Err(_) => Self::Json(Cow::Borrowed(text)),
        })
    }

    /// Returns the length in Redis without sealing, in bytes.
    pub fn stored_bytes(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Json(raw) => raw.len() + 3,
            Self::Bytes(bytes) if is_mistakable(bytes) => bytes.len() + 3,
            Self::Bytes(bytes) => bytes.len(),
        }
    }

    /// Returns the bytes for Redis. Bytes are stored as they are, so that other programs can read them, unless they would
    /// not be read back as bytes.
    pub fn encode(&self) -> Cow<'_, [u8]> {
        match self {
            Self::Text(text) => Cow::Borrowed(text.as_bytes()),
            Self::Json(raw) => Cow::Owned([&[MARK, FORMAT, JSON], raw.as_bytes()].concat()),
            Self::Bytes(bytes) if is_mistakable(bytes) => Cow::Owned([&[MARK, FORMAT, BYTES], &**bytes].concat()),
            Self::Bytes(bytes) => Cow::Borrowed(bytes),
        }
    }

    /// Returns the value of bytes from Redis. An envelope with an invalid payload is a value of bytes.
    pub fn decode(mut bytes: Vec<u8>) -> Value<'static> {
        match bytes.as_slice() {
            [MARK, FORMAT, JSON, payload @ ..] => {
                if let Ok(raw) = serde_json::from_slice::<&RawValue>(payload) {
                    return Value::Json(Cow::Owned(raw.get().to_owned()));
                }
            }
            [MARK, FORMAT, BYTES, ..] => {
                bytes.drain(..3);
                return Value::Bytes(Cow::Owned(bytes));
            }
            _ => {}
        }
        match String::from_utf8(bytes) {
            Ok(text) => Value::Text(Cow::Owned(text)),
            Err(error) => Value::Bytes(Cow::Owned(error.into_bytes())),
        }
    }
}

/// Returns true if bytes would be read back as a text, or as an envelope.
fn is_mistakable(bytes: &[u8]) -> bool {
    matches!(bytes, [MARK, FORMAT, ..]) || std::str::from_utf8(bytes).is_ok()
}

/// A JSON string, borrowed if it has no escapes. serde's implementation for `Cow` always copies.
#[derive(serde::Deserialize)]
struct Unescaped<'a>(#[serde(borrow)] Cow<'a, str>);

/// A stored value, by its first bytes.
#[derive(Debug, PartialEq, Eq)]
pub enum Envelope<'a> {
    /// A sealed value.
    Sealed {
        /// The header of the envelope, which is associated data of the ciphertext.
        header: [u8; 3],
        /// The bytes after the header.
        payload: &'a [u8],
    },
    /// A value that is not sealed; [`Value::decode`] decodes it.
    Open,
}

impl Envelope<'_> {
    /// The header of a sealed value.
    pub const SEALED_HEADER: [u8; 3] = [MARK, FORMAT, SEALED];
}

/// Distinguishes sealed values from others.
pub fn envelope(bytes: &[u8]) -> Envelope<'_> {
    match bytes {
        [MARK, FORMAT, SEALED, payload @ ..] => Envelope::Sealed { header: Envelope::SEALED_HEADER, payload },
        _ => Envelope::Open,
    }
}

/// The kind of a stored value, as far as its first bytes show it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum StoredKind {
    /// A UTF-8 text.
    Text,
    /// JSON other than a string.
    Envelope,
    /// An encrypted value.
    Sealed,
    /// Bytes that are neither a text nor an envelope.
    Bytes,
    /// Not a string. The name is the type in Redis, such as `hash`.
    Other(String),
}

impl StoredKind {
    /// The number of first bytes that show the kind.
    pub const HEAD_BYTES: usize = 3;

    /// Returns the kind of a string with these first bytes.
    pub fn of(head: &[u8]) -> Self {
        match head {
            [MARK, FORMAT, JSON, ..] => Self::Envelope,
            [MARK, FORMAT, SEALED, ..] => Self::Sealed,
            head => match std::str::from_utf8(head) {
                // The last character may be incomplete.
                Err(error) if error.error_len().is_some() => Self::Bytes,
                _ => Self::Text,
            },
        }
    }

    /// Returns the name for people.
    pub fn name(&self) -> &str {
        match self {
            Self::Text => "text",
            Self::Envelope => "envelope",
            Self::Sealed => "sealed",
            Self::Bytes => "bytes",
            Self::Other(name) => name,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn round_trip(json: &str) -> String {
        let raw: &RawValue = serde_json::from_str(json).expect("the test input is JSON");
        match Value::decode(Value::from_json(raw).expect("it is flat").encode().into_owned()) {
            Value::Text(text) => serde_json::to_string(&text).expect("a text is JSON"),
            Value::Json(raw) => raw.into_owned(),
            Value::Bytes(bytes) => panic!("{json} was decoded as bytes {bytes:?}"),
        }
    }

    #[test]
    fn numbers_keep_their_digits_and_objects_their_spaces() {
        for json in [
            "1.0",
            "1e400",
            "123456789012345678901234567890",
            "{ \"b\" : 1,\"a\":[ ] }",
            "null",
            "false",
            "\"\"",
            r#""\ud800""#,
        ] {
            assert_eq!(round_trip(json), json);
        }
    }

    #[test]
    fn bytes_of_other_programs_are_unchanged() {
        assert_eq!(Value::decode(vec![0xff, 0x00]), Value::Bytes(Cow::Owned(vec![0xff, 0x00])));
        let invalid_envelope = vec![MARK, FORMAT, JSON, b'{'];
        assert_eq!(Value::decode(invalid_envelope.clone()), Value::Bytes(Cow::Owned(invalid_envelope)));
        assert_eq!(Value::decode(b"5".to_vec()), Value::Text(Cow::Borrowed("5")));
    }

    #[test]
    fn the_first_bytes_show_the_kind_of_a_value() {
        for (head, kind) in [
            (&b""[..], StoredKind::Text),
            (b"abc", StoredKind::Text),
            ("a€".as_bytes().split_at(3).0, StoredKind::Text),
            (&[MARK, FORMAT, JSON], StoredKind::Envelope),
            (&Envelope::SEALED_HEADER, StoredKind::Sealed),
            (&[MARK, FORMAT, BYTES], StoredKind::Bytes),
            (&[MARK, FORMAT, 99], StoredKind::Bytes),
            (&[0x80, 0x02, b']'], StoredKind::Bytes),
        ] {
            assert_eq!(StoredKind::of(head), kind, "{head:?}");
        }
    }

    #[test]
    fn a_deeper_value_of_another_program_is_read() {
        let json = format!("{}{}", "[".repeat(1_000_000), "]".repeat(1_000_000));
        let stored = [&[MARK, FORMAT, JSON], json.as_bytes()].concat();
        assert_eq!(Value::decode(stored), Value::Json(Cow::Owned(json)));
    }

    #[test]
    fn bytes_are_read_back_as_the_same_bytes_whatever_they_look_like() {
        let sealed = [&Envelope::SEALED_HEADER[..], b"not sealed"].concat();
        let json = Value::Json(Cow::Borrowed("{}")).encode().into_owned();
        let enveloped = Value::Bytes(Cow::Borrowed(b"twice")).encode().into_owned();
        for bytes in [&b""[..], b"text", &[0xff, 0x00], &[MARK], &[MARK, FORMAT], &sealed, &json, &enveloped] {
            let value = Value::Bytes(Cow::Borrowed(bytes));
            let stored = value.encode().into_owned();
            assert_eq!(stored.len(), value.stored_bytes());
            assert_eq!(envelope(&stored), Envelope::Open, "{bytes:?} could be mistaken for a sealed value");
            assert_eq!(Value::decode(stored), value);
        }
    }

    #[test]
    fn bytes_that_nothing_else_looks_like_are_stored_for_other_programs() {
        for bytes in [&[0xff, 0x00][..], &[MARK], &[MARK, 0x02], &[0x80, 0x04, 0x95]] {
            assert_eq!(Value::Bytes(Cow::Borrowed(bytes)).encode(), bytes);
        }
    }

    proptest! {
        #[test]
        fn any_text_is_stored_as_its_own_bytes(text in any::<String>()) {
            let json = serde_json::to_string(&text)?;
            let raw: &RawValue = serde_json::from_str(&json)?;
            let stored = Value::from_json(raw)?.encode().into_owned();
            prop_assert_eq!(stored, text.as_bytes());
            prop_assert_eq!(Value::decode(text.clone().into_bytes()), Value::Text(Cow::Owned(text)));
        }
    }
}
