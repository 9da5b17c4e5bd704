//! The keys of callers and the keys in Redis.

use super::client_number::ClientNumber;
use std::borrow::Cow;

/// The maximum length of a caller's key, in bytes of UTF-8.
pub const KEY_BYTES_MAX: usize = 512;

/// The reason for the refusal of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The key is empty.
    #[error("`key` must not be empty")]
    Empty,
    /// The key has this number of bytes, which is more than [`KEY_BYTES_MAX`].
    #[error("`key` has {0} bytes; at most {KEY_BYTES_MAX} are allowed")]
    TooLong(usize),
    /// The key has a control character.
    #[error("`key` has a control character (U+{code:04X}) at byte {at}")]
    ControlCharacter {
        /// The code point of the character.
        code: u32,
        /// The position of the character, in bytes.
        at: usize,
    },
}

/// A caller's key.
///
/// Invariant: 1 to [`KEY_BYTES_MAX`] bytes without control characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key<'a>(Cow<'a, str>);

impl<'a> Key<'a> {
    /// Checks a key.
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

    /// Returns the key as a text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the key in Redis for a client with this namespace.
    pub fn within(&self, namespace: Option<&Namespace>) -> FullKey<'_> {
        self.of(KeyOwner { namespace, client: ClientNumber::INTERNAL })
    }

    /// Returns the key in Redis for this client.
    pub fn of(&self, owner: KeyOwner<'_>) -> FullKey<'_> {
        let text = match owner.namespace {
            None => Cow::Borrowed(&*self.0),
            Some(Namespace(prefix)) => Cow::Owned([prefix, &*self.0].concat()),
        };
        FullKey { text, client: owner.client }
    }
}

/// The client that uses keys.
#[derive(Clone, Copy, Debug, Default)]
pub struct KeyOwner<'a> {
    /// The namespace of the client; `None` if it has none.
    pub namespace: Option<&'a Namespace>,
    /// The number of the client.
    pub client: ClientNumber,
}

/// A key in Redis: the client's namespace, if it has one, followed by the caller's key.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FullKey<'a> {
    text: Cow<'a, str>,
    /// The client that uses the key: the bytes of its value are charged to it.
    client: ClientNumber,
}

impl FullKey<'_> {
    /// Returns the key as a text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns the bytes of the key.
    pub fn as_bytes(&self) -> &[u8] {
        self.text.as_bytes()
    }

    /// Returns the client that uses the key.
    pub fn client(&self) -> ClientNumber {
        self.client
    }

    /// Returns a copy that borrows nothing.
    pub fn to_owned(&self) -> FullKey<'static> {
        FullKey { text: Cow::Owned(self.text.clone().into_owned()), client: self.client }
    }
}

/// The part of the key space that belongs to one client: all its keys start with `name:`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Namespace(String);

impl Namespace {
    /// Checks the name of a namespace; `None` if it is invalid.
    ///
    /// A name has 1 to 64 letters, digits, `.`, `_` or `-`. Braces and colons are excluded, so that a namespace neither
    /// changes the hash tag of a key nor overlaps with the namespace of another client.
    pub fn new(name: &str) -> Option<Self> {
        let is_valid =
            (1..=64).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
        is_valid.then(|| Self(format!("{name}:")))
    }

    /// Returns the name without the colon.
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
    fn keys_are_refused_beyond_exact_limits() {
        assert_eq!(key(""), Err(KeyError::Empty));
        assert!(key("k").is_ok());
        assert!(key(&"é".repeat(256)).is_ok());
        assert_eq!(key(&"k".repeat(513)), Err(KeyError::TooLong(513)));
        assert_eq!(key("a\nb"), Err(KeyError::ControlCharacter { code: 10, at: 1 }));
        assert_eq!(key("é\u{85}"), Err(KeyError::ControlCharacter { code: 0x85, at: 2 }));
    }

    #[test]
    fn a_namespace_precedes_the_key() {
        let namespace = Namespace::new("billing").expect("a valid name");
        let key = key("k").expect("a valid key");
        assert_eq!(key.within(Some(&namespace)).as_str(), "billing:k");
        assert_eq!(key.within(None).as_str(), "k");
        assert_eq!(Namespace::new("a:b"), None);
        assert_eq!(Namespace::new("{a}"), None);
        assert_eq!(Namespace::new(""), None);
    }
}
