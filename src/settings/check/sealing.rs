//! The keys that seal values.

use crate::settings::{error::SealingKeyError, sealing_config::SealingConfig, secrets, section_reader::SectionReader};
use secrecy::{ExposeSecret, SecretBox};
use std::io;

/// Reads the keys and the rule for using them.
pub fn sealing(service: &SectionReader<'_>) -> SealingConfig {
    service.refuse_empty("ENCRYPT_VALUES", "write on_request or always");
    let always = service.choice("ENCRYPT_VALUES", &[("on_request", false), ("always", true)]);
    let keys: Vec<_> = service
        .list("ENCRYPTION_KEY")
        .into_iter()
        .enumerate()
        .filter_map(|(position, text)| sealing_key(service, position + 1, text))
        .collect();
    if service.is_set("ENCRYPTION_KEY") && service.text("ENCRYPTION_KEY").is_none() {
        service.error("ENCRYPTION_KEY", "is empty: give a key or a key file, or remove the option");
    } else if always && service.text("ENCRYPTION_KEY").is_none() {
        service.error(
            "ENCRYPTION_KEY",
            "is missing, and ENCRYPT_VALUES=always needs one: make it with `openssl rand -hex 32`",
        );
    }
    SealingConfig { keys, always }
}

/// Reads one entry of `ENCRYPTION_KEY`, and records a problem if it is unusable.
fn sealing_key(service: &SectionReader<'_>, number: usize, text: &str) -> Option<SecretBox<[u8; 32]>> {
    let problem = match read_key(service, text) {
        Ok(key) => return Some(key),
        Err(problem) => problem,
    };
    service.error(
        "ENCRYPTION_KEY",
        format!("entry {number} {problem}; a key is 32 bytes in base64 or hex, such as `openssl rand -hex 32` makes"),
    );
    None
}

/// Returns the key that `text` is, or the one in the file that it names. The error never shows the text, which may be
/// a mistyped key.
fn read_key(service: &SectionReader<'_>, text: &str) -> Result<SecretBox<[u8; 32]>, SealingKeyError> {
    let key = match secrets::parse_sealing_key(text) {
        Some(key) => key,
        None => match std::fs::read_to_string(service.resolve("ENCRYPTION_KEY", text)) {
            Ok(content) => secrets::parse_sealing_key(&content).ok_or(SealingKeyError::NoKeyInFile)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(SealingKeyError::NotFound);
            }
            Err(source) => return Err(SealingKeyError::ReadFile(source)),
        },
    };
    if secrets::is_placeholder_key(key.expose_secret()) {
        return Err(SealingKeyError::Placeholder);
    }
    Ok(key)
}
