//! The keys that seal values.

use crate::settings::{
    error::SealingKeyError,
    placeholders::is_placeholder_key,
    sealing_config::{SealingConfig, SealingRule},
    secrets,
    section_reader::SectionReader,
    text_file,
};
use secrecy::{ExposeSecret, SecretBox};
use std::io;

/// Length of a text that may be a mistyped key in base64, which has 43 or 44 characters.
const BASE64_KEY_CHARS_MIN: usize = 40;

/// Reads the keys and the rule for using them.
pub fn sealing(service: &SectionReader<'_>, warnings: &mut Vec<String>) -> SealingConfig {
    let rules =
        [("on_request", SealingRule::OnRequest), ("always", SealingRule::Always), ("required", SealingRule::Required)];
    let rule = service.choice("ENCRYPT_VALUES", &rules);
    let missing_file = if rule == SealingRule::OnRequest { missing_file(service) } else { None };
    if let Some(file) = missing_file {
        warnings.push(format!(
            "[service] ENCRYPTION_KEY names a file that does not exist, {file:?}: values can be neither sealed nor opened \
             until it does"
        ));
        return SealingConfig { keys: Vec::new(), rule, missing_file: Some(file.to_owned()) };
    }
    let keys: Vec<_> = service
        .list("ENCRYPTION_KEY")
        .into_iter()
        .enumerate()
        .filter_map(|(position, text)| sealing_key(service, position + 1, text))
        .collect();
    if service.is_set("ENCRYPTION_KEY") && service.text("ENCRYPTION_KEY").is_none() {
        service.error("ENCRYPTION_KEY", "is empty: give a key or a key file, or remove the option");
    } else if rule != SealingRule::OnRequest && service.text("ENCRYPTION_KEY").is_none() {
        let word = service.text("ENCRYPT_VALUES").unwrap_or_default();
        let message = format!("is missing, and ENCRYPT_VALUES={word} needs one: make it with `openssl rand -hex 32`");
        service.error("ENCRYPTION_KEY", message);
    }
    SealingConfig { keys, rule, missing_file: None }
}

/// Returns the only entry of `ENCRYPTION_KEY` if it is the name of a file that does not exist. The settings of the Python
/// service name such a file, and many services never seal a value. The names of files have a dot or a slash, and a mistyped
/// key in base64 has no dot and is longer than most names.
fn missing_file<'a>(service: &SectionReader<'a>) -> Option<&'a str> {
    let entries = service.list("ENCRYPTION_KEY");
    let [name] = entries.as_slice() else { return None };
    let is_name = name.contains('.') || (name.contains('/') && name.len() < BASE64_KEY_CHARS_MIN);
    let is_missing = is_name && !service.resolve("ENCRYPTION_KEY", name).exists();
    is_missing.then_some(name)
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
        None => match text_file::read(&service.resolve("ENCRYPTION_KEY", text)) {
            Ok(content) => secrets::parse_sealing_key(&content).ok_or(SealingKeyError::NoKeyInFile)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(SealingKeyError::NotFound);
            }
            Err(source) => return Err(SealingKeyError::ReadFile(source)),
        },
    };
    if is_placeholder_key(key.expose_secret()) {
        return Err(SealingKeyError::Placeholder);
    }
    Ok(key)
}
