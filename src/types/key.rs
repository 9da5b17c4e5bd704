//! Keys: what a caller names a value, and what Redis holds it under.

use std::borrow::Cow;

/// The longest key a caller may use, in bytes of UTF-8.
pub const KEY_BYTES_MAX: usize = 512;

/// Why a text is not a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    #[error("`key` must not be empty")]
    Empty,
    #[error("`key` has {0} bytes; at most {KEY_BYTES_MAX} are allowed")]
    TooLong(usize),
    #[error("`key` has a control character (U+{code:04X}) at byte {at}")]
    ControlCharacter { code: u32, at: usize },
}

/// A caller's key.
///
/// Invariant: 1 to [`KEY_BYTES_MAX`] bytes without control characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key<'a>(Cow<'a, str>);

impl<'a> Key<'a> {
    pub fn new(text: Cow<'a, str>) -> Result<Self, KeyError> {
        if text.is_empty() {
            return Err(KeyError::Empty);
        }
        if text.len() > KEY_BYTES_MAX {
            return Err(KeyError::TooLong(text.len()));
        }
        if let Some((at, character)) = text.char_indices().find(|(_, c)| c.is_control()) {
            return Err(KeyError::ControlCharacter { code: character.into(), at });
        }
        Ok(Self(text))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The key under which Redis holds the value of this key for a client with that namespace.
    pub fn within(&self, namespace: Option<&Namespace>) -> FullKey<'_> {
        match namespace {
            None => FullKey(Cow::Borrowed(&self.0)),
            Some(Namespace(prefix)) => FullKey(Cow::Owned([prefix, &*self.0].concat())),
        }
    }
}

/// The key as Redis holds it: the caller's key behind the namespace of the client, if it has one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FullKey<'a>(Cow<'a, str>);

impl FullKey<'_> {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    /// The same key, which borrows from nobody.
    pub fn to_owned(&self) -> FullKey<'static> {
        FullKey(Cow::Owned(self.0.clone().into_owned()))
    }
}

/// The part of the key space that belongs to one client: every key of it starts with `name:`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Namespace(String);

impl Namespace {
    /// Up to 64 letters, digits, `.`, `_` or `-`. Braces and colons stay out, so that a namespace neither
    /// changes the `{tag}` of a key nor reaches into another client's namespace.
    pub fn new(name: &str) -> Option<Self> {
        let valid =
            (1..=64).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
        valid.then(|| Self(format!("{name}:")))
    }

    /// The name without the colon.
    pub fn name(&self) -> &str {
        self.0.trim_end_matches(':')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> Result<Key<'_>, KeyError> {
        Key::new(Cow::Borrowed(text))
    }

    #[test]
    fn the_limits_of_a_key_are_exact() {
        assert_eq!(key(""), Err(KeyError::Empty));
        assert!(key("k").is_ok());
        assert!(key(&"é".repeat(256)).is_ok());
        assert_eq!(key(&"k".repeat(513)), Err(KeyError::TooLong(513)));
        assert_eq!(key("a\nb"), Err(KeyError::ControlCharacter { code: 10, at: 1 }));
        assert_eq!(key("é\u{85}"), Err(KeyError::ControlCharacter { code: 0x85, at: 2 }));
    }

    #[test]
    fn a_namespace_stands_before_the_key() {
        let namespace = Namespace::new("billing").expect("a valid name");
        let key = key("k").expect("a valid key");
        assert_eq!(key.within(Some(&namespace)).as_str(), "billing:k");
        assert_eq!(key.within(None).as_str(), "k");
        assert_eq!(Namespace::new("a:b"), None);
        assert_eq!(Namespace::new("{a}"), None);
        assert_eq!(Namespace::new(""), None);
    }
}
