//! Keys that seal values.

use crate::settings::{SealingConfig, read::SectionReader, secrets};
use secrecy::{ExposeSecret, SecretBox};

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

/// The key itself, or what the file of that name holds. A text that is neither is shown to nobody: it may be a key.
fn sealing_key(service: &SectionReader<'_>, number: usize, text: &str) -> Option<SecretBox<[u8; 32]>> {
    let refuse = |what: &str| {
        service.error(
            "ENCRYPTION_KEY",
            format!("entry {number} {what}; a key is 32 bytes in base64 or hex, such as `openssl rand -hex 32` makes"),
        );
        None
    };
    let given = secrets::parse_sealing_key(text).map(|key| Ok(Some(key)));
    let from_file = || {
        let path = service.locate("ENCRYPTION_KEY", text);
        std::fs::read_to_string(path).map(|content| secrets::parse_sealing_key(&content))
    };
    match given.unwrap_or_else(from_file) {
        Ok(Some(key)) if secrets::is_placeholder_key(key.expose_secret()) => {
            refuse("is a placeholder, one byte 32 times")
        }
        Ok(Some(key)) => Some(key),
        Ok(None) => refuse("names a file that holds no key"),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            refuse("is neither a key nor the name of a file that is there")
        }
        Err(_) => refuse("names a file that cannot be read"),
    }
}
