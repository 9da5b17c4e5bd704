//! Values, and the bytes that stand for them in Redis.
//!
//! A text is stored as its own UTF-8 bytes, so that other Redis clients can read it and what they wrote can be
//! read here. Everything else is an envelope: [`MARK`], [`FORMAT`], a kind, the payload. No UTF-8 text contains
//! the byte 0xC1, so an envelope is never taken for a text.

use serde_json::value::RawValue;
use std::borrow::Cow;

/// First byte of every envelope.
const MARK: u8 = 0xC1;
/// Version of the envelope's layout.
const FORMAT: u8 = 1;
const JSON: u8 = 1;
const SEALED: u8 = 3;

/// What a caller stores and gets back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// A JSON string, decoded.
    Text(Cow<'a, str>),
    /// Any other JSON value, exactly as it was written.
    Json(Cow<'a, str>),
    /// Bytes that are no text: another program wrote them.
    Bytes(Cow<'a, [u8]>),
}

impl<'a> Value<'a> {
    /// Takes a value as it stands in a request.
    pub fn from_json(raw: &'a RawValue) -> Self {
        // A string with a lone surrogate (`"\ud800"`) is JSON but no Unicode text: it is kept as it was written.
        let text = raw.get();
        let decoded = text.starts_with('"').then(|| serde_json::from_str::<Unescaped<'_>>(text));
        match decoded {
            Some(Ok(Unescaped(decoded))) => Self::Text(decoded),
            _ => Self::Json(Cow::Borrowed(text)),
        }
    }

    /// Length in Redis without sealing, in bytes.
    pub fn stored_bytes(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Json(raw) => raw.len() + 3,
            Self::Bytes(bytes) => bytes.len(),
        }
    }

    /// The bytes for Redis.
    pub fn encode(&self) -> Cow<'_, [u8]> {
        match self {
            Self::Text(text) => Cow::Borrowed(text.as_bytes()),
            Self::Json(raw) => Cow::Owned([&[MARK, FORMAT, JSON], raw.as_bytes()].concat()),
            Self::Bytes(bytes) => Cow::Borrowed(bytes),
        }
    }

    /// The value that these bytes from Redis stand for. Bytes that only look like one of our envelopes are bytes.
    pub fn decode(bytes: Vec<u8>) -> Value<'static> {
        if let [MARK, FORMAT, JSON, payload @ ..] = bytes.as_slice()
            && let Ok(raw) = serde_json::from_slice::<&RawValue>(payload)
        {
            return Value::Json(Cow::Owned(raw.get().to_owned()));
        }
        match String::from_utf8(bytes) {
            Ok(text) => Value::Text(Cow::Owned(text)),
            Err(no_text) => Value::Bytes(Cow::Owned(no_text.into_bytes())),
        }
    }
}

/// Borrows where the string has no escapes; serde's own `Cow` always copies.
#[derive(serde::Deserialize)]
struct Unescaped<'a>(#[serde(borrow)] Cow<'a, str>);

/// What the first bytes of a stored value say about the rest.
#[derive(Debug, PartialEq, Eq)]
pub enum Envelope<'a> {
    /// Header of the envelope (bound to the ciphertext) and what follows it.
    Sealed { header: [u8; 3], payload: &'a [u8] },
    /// Not sealed: [`Value::decode`] reads it.
    Open,
}

impl Envelope<'_> {
    /// The header that a sealed value starts with.
    pub const SEALED_HEADER: [u8; 3] = [MARK, FORMAT, SEALED];
}

/// Tells sealed bytes from others.
pub fn envelope(bytes: &[u8]) -> Envelope<'_> {
    match bytes {
        [MARK, FORMAT, SEALED, payload @ ..] => Envelope::Sealed { header: Envelope::SEALED_HEADER, payload },
        _ => Envelope::Open,
    }
}

/// What a stored value is, as far as its beginning tells.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum StoredKind {
    Text,
    /// JSON other than a string.
    Envelope,
    Sealed,
    /// No text, and none of ours.
    Bytes,
    /// Redis's own name for what is no string, such as `hash`.
    Other(String),
}

impl StoredKind {
    /// So many bytes of the value are enough to tell.
    pub const HEAD_BYTES: usize = 3;

    /// The kind of a string that begins like this.
    pub fn of(head: &[u8]) -> Self {
        match head {
            [MARK, FORMAT, JSON, ..] => Self::Envelope,
            [MARK, FORMAT, SEALED, ..] => Self::Sealed,
            head => match std::str::from_utf8(head) {
                // A character may be cut in two.
                Err(error) if error.error_len().is_some() => Self::Bytes,
                _ => Self::Text,
            },
        }
    }

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
        let raw: &RawValue = serde_json::from_str(json).expect("test input is JSON");
        match Value::decode(Value::from_json(raw).encode().into_owned()) {
            Value::Text(text) => serde_json::to_string(&text).expect("a text is JSON"),
            Value::Json(raw) => raw.into_owned(),
            Value::Bytes(bytes) => panic!("{json} became bytes {bytes:?}"),
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
    fn foreign_bytes_stay_what_they_are() {
        assert_eq!(Value::decode(vec![0xff, 0x00]), Value::Bytes(Cow::Owned(vec![0xff, 0x00])));
        let looks_like_ours = vec![MARK, FORMAT, JSON, b'{'];
        assert_eq!(Value::decode(looks_like_ours.clone()), Value::Bytes(Cow::Owned(looks_like_ours)));
        assert_eq!(Value::decode(b"5".to_vec()), Value::Text(Cow::Borrowed("5")));
    }

    #[test]
    fn a_beginning_tells_what_a_value_is() {
        for (head, kind) in [
            (&b""[..], StoredKind::Text),
            (b"abc", StoredKind::Text),
            ("a€".as_bytes().split_at(3).0, StoredKind::Text),
            (&[MARK, FORMAT, JSON], StoredKind::Envelope),
            (&Envelope::SEALED_HEADER, StoredKind::Sealed),
            (&[MARK, FORMAT, 99], StoredKind::Bytes),
            (&[0x80, 0x02, b']'], StoredKind::Bytes),
        ] {
            assert_eq!(StoredKind::of(head), kind, "{head:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_stored_as_its_own_bytes(text in any::<String>()) {
            let json = serde_json::to_string(&text)?;
            let raw: &RawValue = serde_json::from_str(&json)?;
            let stored = Value::from_json(raw).encode().into_owned();
            prop_assert_eq!(stored, text.as_bytes());
            prop_assert_eq!(Value::decode(text.clone().into_bytes()), Value::Text(Cow::Owned(text)));
        }
    }
}
