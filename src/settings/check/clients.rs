//! Clients: their API keys, scopes, namespaces and limits.

use super::limits::{SECS_MAX, check_name};
use crate::{
    settings::{
        auth_config::{AuthConfig, ClientConfig},
        options::Section,
        placeholders::{self, is_placeholder},
        secrets::{self, JWT_SECRET_BYTES_MIN, SHARED_SECRET_CHARS_MIN},
        section_reader::{SectionReader, SettingsReader},
    },
    types::{Namespace, Scopes},
};
use secrecy::SecretString;
use std::num::NonZeroU32;

/// The namespace of a client that may use all keys.
pub const ALL_KEYS: &str = "*";

/// Reads all `[client:NAME]` sections.
pub fn clients(settings: &SettingsReader<'_>) -> Vec<ClientConfig> {
    settings.named_sections(Section::Client).into_iter().map(|(name, section)| client(&section, name)).collect()
}

fn client(section: &SectionReader<'_>, name: &str) -> ClientConfig {
    check_name(section, name, "api_key_hash");
    let mut api_key_hashes = Vec::new();
    for text in section.list("api_key_hash") {
        match secrets::parse_api_key_hash(text) {
            Some(hash) if placeholders::is_hash_of_placeholder(&hash) => section.error(
                "api_key_hash",
                "is the hash of an empty text or a placeholder: `cachefront hash-key` makes a key and its hash",
            ),
            Some(hash) => api_key_hashes.push(hash),
            None => section.error(
                "api_key_hash",
                "is not a hash: paste what `cachefront hash-key` prints, sha256: and 64 hex digits",
            ),
        }
    }
    if section.text("api_key_hash").is_none() {
        section.error("api_key_hash", "is missing: `cachefront hash-key` makes a key and its hash");
    }
    let limit = section.is_set("commands_per_second").then(|| section.number("commands_per_second", 1..=10_000_000));
    let commands_per_second = limit.and_then(|limit| NonZeroU32::new(u32::try_from(limit).ok()?));
    ClientConfig {
        id: name.to_owned(),
        any_client_id: false,
        api_key_hashes,
        scopes: scopes(section),
        namespace: namespace(section),
        commands_per_second,
    }
}

/// Reads the operations that a client may use. There is no default, because a file that is cut would grant it.
fn scopes(section: &SectionReader<'_>) -> Scopes {
    let Some(text) = section.stated("scopes", "list the operations that the client may use, of read, write, delete")
    else {
        return Scopes::NONE;
    };
    let scopes = Scopes::parse(&text.replace('\n', " ")).unwrap_or_else(|error| {
        section.error("scopes", error.to_string());
        Scopes::ALL
    });
    if scopes.is_empty() {
        section.error("scopes", "grants nothing: list the operations that the client may use, of read, write, delete");
    }
    scopes
}

/// Reads the namespace of a client; `None` for all keys, which the section has to state.
fn namespace(section: &SectionReader<'_>) -> Option<Namespace> {
    let remedy = "write the name that all keys of the client begin with, or * if the client may use all keys";
    let text = section.stated("namespace", remedy).filter(|text| *text != ALL_KEYS)?;
    let namespace = Namespace::new(text);
    if namespace.is_none() {
        section.error(
            "namespace",
            format!(
                "{text:?} is neither * (all keys) nor a namespace: up to 64 letters, digits, \".\", \"_\" or \"-\""
            ),
        );
    }
    namespace
}

/// Reads the secret that signs tokens, and adds the client of the shared secret to the other clients.
pub fn auth(service: &SectionReader<'_>, mut clients: Vec<ClientConfig>, warnings: &mut Vec<String>) -> AuthConfig {
    let jwt_secret = service.text("JWT_SECRET_KEY").unwrap_or_default();
    if jwt_secret.is_empty() {
        service.error("JWT_SECRET_KEY", "is missing: make one with `openssl rand -base64 48`");
    } else if is_placeholder(jwt_secret) {
        service.error("JWT_SECRET_KEY", "is a placeholder: make one with `openssl rand -base64 48`");
    } else if jwt_secret.len() < JWT_SECRET_BYTES_MIN {
        service.error(
            "JWT_SECRET_KEY",
            format!(
                "has {} bytes; at least {JWT_SECRET_BYTES_MIN} are needed: make one with `openssl rand -base64 48`",
                jwt_secret.len()
            ),
        );
    }
    let identity = service.text("IDENTITY").unwrap_or_default();
    let shared = shared_secret(service, identity, warnings);
    if shared.is_some() && clients.iter().any(|client| client.id == identity) {
        service.error(
            "IDENTITY",
            format!("\"{identity}\" is also the name of a [client:NAME] section; name one of them otherwise"),
        );
    }
    clients.extend(shared);
    // An empty shared secret is a problem of its own.
    if clients.is_empty() && !service.is_set("SRVC_SHARED_SECRET") {
        service.error("SRVC_SHARED_SECRET", "is missing, and there is no [client:NAME] section: nobody could log in");
    }
    AuthConfig {
        jwt_secret: SecretString::from(jwt_secret),
        token_life: service.duration("JWT_EXPIRE_SECS", 1..=SECS_MAX * 365),
        token_start_leeway: service.duration("JWT_START_LEEWAY_SECS", 0..=300),
        token_end_leeway: service.duration("JWT_END_LEEWAY_SECS", 0..=300),
        clients,
    }
}

/// Returns the client that logs in with the shared secret.
fn shared_secret(service: &SectionReader<'_>, identity: &str, warnings: &mut Vec<String>) -> Option<ClientConfig> {
    let Some(secret) = service.text("SRVC_SHARED_SECRET") else {
        if service.is_set("SRVC_SHARED_SECRET") {
            service.error(
                "SRVC_SHARED_SECRET",
                "is empty: set one, or remove the option where every client has its own section",
            );
        }
        return None;
    };
    if is_placeholder(secret) {
        service.error("SRVC_SHARED_SECRET", "is a placeholder: make one with `openssl rand -base64 24`");
    } else if secret.chars().count() < SHARED_SECRET_CHARS_MIN {
        warnings.push(format!("SRVC_SHARED_SECRET has fewer than {SHARED_SECRET_CHARS_MIN} characters and could be guessed: make a longer one with `openssl rand -base64 24`"));
    }
    Some(ClientConfig {
        id: identity.to_owned(),
        any_client_id: true,
        api_key_hashes: vec![secrets::digest_api_key(secret)],
        scopes: Scopes::ALL,
        namespace: None,
        commands_per_second: None,
    })
}
