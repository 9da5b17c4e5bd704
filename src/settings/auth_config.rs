//! The settings of tokens and clients.

use crate::types::{Namespace, Scopes};
use secrecy::SecretString;
use std::{num::NonZeroU32, time::Duration};

/// SHA-256 digest of an API key.
pub type ApiKeyHash = [u8; 32];

/// Tokens and clients.
#[derive(Debug)]
pub struct AuthConfig {
    /// The secret that signs tokens.
    ///
    /// Invariant: at least 32 bytes.
    pub jwt_secret: SecretString,
    /// Validity of a token.
    pub token_life: Duration,
    /// Time by which the clock of the instance that issued a token may be ahead.
    pub token_start_leeway: Duration,
    /// Time for which an expired token is still accepted.
    pub token_end_leeway: Duration,
    /// Clients that may log in.
    pub clients: Vec<ClientConfig>,
}

/// A client that may log in.
#[derive(Debug)]
pub struct ClientConfig {
    /// Subject of this client's tokens.
    pub id: String,
    /// The caller may choose any `client_id`. This is true only for the shared secret.
    pub any_client_id: bool,
    /// Hashes of the client's API keys.
    pub api_key_hashes: Vec<ApiKeyHash>,
    /// Operations that the client may use.
    pub scopes: Scopes,
    /// Namespace of the client's keys.
    pub namespace: Option<Namespace>,
    /// Maximum number of commands per second on this instance.
    pub commands_per_second: Option<NonZeroU32>,
}
