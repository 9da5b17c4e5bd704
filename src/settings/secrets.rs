//! Secrets: API keys and their hashes, and sealing keys.

use super::auth_config::ApiKeyHash;
use aws_lc_rs::{digest, rand};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use secrecy::SecretBox;
use std::fmt::Write;
use zeroize::Zeroizing;

/// Shortest JWT secret: as many bytes as the hash of HS256 (RFC 7518 §3.2).
pub const JWT_SECRET_BYTES_MIN: usize = 32;
/// Shortest shared secret without a warning.
pub const SHARED_SECRET_CHARS_MIN: usize = 16;

const HASH_PREFIX: &str = "sha256:";

/// The beginning of the API keys that [`new_api_key`] generates. Other keys may begin with anything.
pub const API_KEY_PREFIX: &str = "cf_";

/// Generates an API key of 256 random bits, which a plain hash protects well enough.
pub fn new_api_key() -> String {
    [API_KEY_PREFIX, &URL_SAFE_NO_PAD.encode(random())].concat()
}

/// Generates a sealing key in the form of `ENCRYPTION_KEY`.
pub fn new_sealing_key() -> String {
    hex(&random())
}

/// Returns the hash of an API key in the form of `api_key_hash`.
pub fn hash_api_key(key: &str) -> String {
    [HASH_PREFIX, &hex(&digest_api_key(key))].concat()
}

fn random() -> [u8; 32] {
    let mut bytes = [0; 32];
    rand::fill(&mut bytes).expect("the system gives random bytes");
    bytes
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Returns the SHA-256 digest of an API key.
pub fn digest_api_key(key: &str) -> ApiKeyHash {
    let digest = digest::digest(&digest::SHA256, key.as_bytes());
    digest.as_ref().try_into().expect("SHA-256 has 32 bytes")
}

/// Parses the text that [`hash_api_key`] returns.
pub fn parse_api_key_hash(text: &str) -> Option<ApiKeyHash> {
    text.strip_prefix(HASH_PREFIX).and_then(parse_hex)
}

/// Parses a sealing key: 32 bytes as hex or base64, also in its URL-safe form, which the Python service's key files have.
pub fn parse_sealing_key(text: &str) -> Option<SecretBox<[u8; 32]>> {
    let text = text.trim();
    let bytes = parse_hex(text).map(Zeroizing::new).or_else(|| parse_base64(text))?;
    Some(SecretBox::new(Box::new(*bytes)))
}

fn parse_base64(text: &str) -> Option<Zeroizing<[u8; 32]>> {
    let url_safe = Zeroizing::new(text.trim_end_matches('=').replace('+', "-").replace('/', "_"));
    let bytes = Zeroizing::new(URL_SAFE_NO_PAD.decode(url_safe.as_bytes()).ok()?);
    bytes.as_slice().try_into().ok().map(Zeroizing::new)
}

fn parse_hex(text: &str) -> Option<[u8; 32]> {
    let digits = text.as_bytes();
    if digits.len() != 64 {
        return None;
    }
    let mut bytes = [0; 32];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks(2)) {
        *byte = hex_digit(pair[0])? << 4 | hex_digit(pair[1])?;
    }
    Some(bytes)
}

fn hex_digit(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret;

    #[test]
    fn a_hash_is_parsed_as_it_was_written() {
        let key = new_api_key();
        assert_eq!(key.len(), 46);
        assert_eq!(parse_api_key_hash(&hash_api_key(&key)), Some(digest_api_key(&key)));
        assert_eq!(hash_api_key("abc"), "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(parse_api_key_hash("abc"), None);
    }

    #[test]
    fn a_sealing_key_has_three_forms() {
        let expected = [0xfb; 32];
        for text in
            ["fb".repeat(32), "+/v7".repeat(10) + "+/s=", "-_v7".repeat(10) + "-_s=\n", "-_v7".repeat(10) + "-_s"]
        {
            let key = parse_sealing_key(&text).unwrap_or_else(|| panic!("{text} is a key"));
            assert_eq!(key.expose_secret(), &expected);
        }
        for text in ["", "fb", &"fb".repeat(31), "no key at all"] {
            assert!(parse_sealing_key(text).is_none(), "{text:?} was taken for a key");
        }
    }
}
