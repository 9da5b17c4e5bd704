//! Placeholders: the texts that examples and templates have in place of a secret, and their hashes.

use super::{auth_config::ApiKeyHash, secrets::digest_api_key};
use std::{collections::HashSet, sync::LazyLock};

/// Whole texts that are placeholders, in lower case.
const WELL_KNOWN: [&str; 6] = ["secret", "password", "default", "none", "null", "test"];

/// Further texts whose hash is likely to be in a file of settings by mistake. Of a hash, only whole texts can be
/// recognised.
const HASHED: [&str; 27] = [
    "",
    "...",
    "admin",
    "api-key",
    "api_key",
    "apikey",
    "<api_key>",
    "<api-key>",
    "change-me",
    "change_me",
    "changeme",
    "change-me-please",
    "dummy",
    "example",
    "fixme",
    "insert-key-here",
    "placeholder",
    "replace-me",
    "replace_me",
    "replaceme",
    "<secret>",
    "todo",
    "your-api-key",
    "your_api_key",
    "your_api_key_here",
    "your_secret",
    "your_secret_here",
];

/// Longest text of one repeated character whose hash is recognised.
const REPEATED_CHARS_MAX: usize = 64;

/// Returns true for the texts that examples and templates use in place of a secret.
pub fn is_placeholder(secret: &str) -> bool {
    const WORDS: [&str; 12] = [
        "change",
        "placeholder",
        "replace",
        "example",
        "your_",
        "your-",
        "todo",
        "insert",
        "fixme",
        "dummy",
        "<",
        "${",
    ];
    let text = secret.trim().to_lowercase();
    let mut characters = text.chars();
    let first = characters.next();
    let repeats_one_character = characters.all(|character| Some(character) == first);
    repeats_one_character || WELL_KNOWN.contains(&text.as_str()) || WORDS.iter().any(|word| text.starts_with(word))
}

/// Returns true for a key of one repeated byte, which no random generator makes.
pub fn is_placeholder_key(key: &[u8; 32]) -> bool {
    key.iter().all(|byte| *byte == key[0])
}

/// Returns true for the hash of an empty text or of a well-known placeholder, and for one of a repeated byte.
pub fn is_hash_of_placeholder(hash: &ApiKeyHash) -> bool {
    static HASHES: LazyLock<HashSet<ApiKeyHash>> = LazyLock::new(|| {
        let words = HASHED.into_iter().chain(WELL_KNOWN).map(str::to_owned);
        let repeated = ["x", "X", "0", "*", "."].into_iter();
        let repeated = repeated.flat_map(|character| (1..=REPEATED_CHARS_MAX).map(|count| character.repeat(count)));
        // A line end is hashed, too, where the key came from `echo`.
        let forms = words.chain(repeated).flat_map(|text| [text.to_uppercase(), text]);
        forms.flat_map(|text| [digest_api_key(&format!("{text}\n")), digest_api_key(&text)]).collect()
    });
    is_placeholder_key(hash) || HASHES.contains(hash)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::new_api_key;

    #[test]
    fn placeholders_are_recognised() {
        for text in [
            "...",
            "xxxxxxxx",
            "changeme",
            "change-me-please-change-me-please",
            "<secret>",
            "your_secret_here",
            "secret",
            "REPLACE_ME",
        ] {
            assert!(is_placeholder(text), "{text}");
        }
        for text in ["k3Zr8vQ1", "correct horse battery staple", &new_api_key()] {
            assert!(!is_placeholder(text), "{text}");
        }
    }
}
