//! Names of fields that are not known, but are close to a known one: `Key`, `expires`, `api-key`.

/// Longest name that is compared. No known name is nearly as long.
const NAME_BYTES_MAX: usize = 24;

/// A name in lower case, without anything but letters and digits.
pub struct PlainName {
    bytes: [u8; NAME_BYTES_MAX],
    length: usize,
}

impl PlainName {
    /// Returns the plain form of a name; `None` if the name is too long or not ASCII, and so close to no known one.
    pub fn of(name: &str) -> Option<Self> {
        if name.len() > NAME_BYTES_MAX || !name.is_ascii() {
            return None;
        }
        let mut plain = Self { bytes: [0; NAME_BYTES_MAX], length: 0 };
        for byte in name.bytes().filter(u8::is_ascii_alphanumeric) {
            plain.bytes[plain.length] = byte.to_ascii_lowercase();
            plain.length += 1;
        }
        Some(plain)
    }

    /// Returns the plain form as a text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes[..self.length]).unwrap_or_default()
    }

    /// Returns the known name that differs from this one by case, by separators, or by one letter: an added, missing, wrong
    /// or exchanged one. Names of up to four letters must have the same letters, because too many words are close to them.
    pub fn close_to(&self, known: &[&'static str]) -> Option<&'static str> {
        known.iter().copied().find(|known| {
            let Some(known) = Self::of(known) else { return false };
            let (given, known) = (self.as_str(), known.as_str());
            given == known
                || known.len() > 4 && given.len().abs_diff(known.len()) <= 1 && strsim::osa_distance(given, known) <= 1
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: [&str; 4] = ["key", "value", "expire", "api_key"];

    fn close_to(name: &str) -> Option<&'static str> {
        PlainName::of(name)?.close_to(&KNOWN)
    }

    #[test]
    fn a_name_is_close_if_case_separators_or_one_letter_differ() {
        for (name, known) in [
            ("Key", "key"),
            ("KEY_", "key"),
            ("values", "value"),
            ("vlaue", "value"),
            ("expre", "expire"),
            ("expiry", "expire"),
            ("apikey", "api_key"),
            ("API-Key", "api_key"),
            ("apiKeys", "api_key"),
        ] {
            assert_eq!(close_to(name), Some(known), "{name}");
        }
        for name in ["", "_", "id", "ke", "hey", "kid", "valid", "expose", "ключ", "api_key_of_somebody_else_"] {
            assert_eq!(close_to(name), None, "{name}");
        }
    }
}
