//! The search for the client of an API key.

use super::client::Client;
use crate::settings::digest_api_key;
use aws_lc_rs::constant_time::verify_slices_are_equal;
use std::sync::Arc;

/// The reason why a login fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LoginError {
    /// The API key belongs to no client, or not to the client that was named. The error does not tell which.
    #[error("the API key is not valid")]
    InvalidKey,
    /// The client has none of the scopes that were asked for.
    #[error("the client has none of the scopes that were asked for")]
    NoScope,
}

/// Finds the client of a key. Every hash is compared, in constant time, so that the duration reveals nothing.
pub fn find<'c>(clients: &'c [Arc<Client>], client_id: Option<&str>, api_key: &str) -> Result<&'c Client, LoginError> {
    let digest = digest_api_key(api_key);
    let mut found = None;
    for client in clients {
        for hash in client.api_key_hashes() {
            if verify_slices_are_equal(hash, &digest).is_ok() {
                found = Some(client);
            }
        }
    }
    let client = found.ok_or(LoginError::InvalidKey)?;
    let is_id_allowed = match client_id {
        None => true,
        Some(id) if id == client.id() => true,
        // A caller with the shared secret may use any id but that of a client with its own key.
        Some(id) => client.any_client_id() && clients.iter().all(|other| other.id() != id),
    };
    if is_id_allowed { Ok(client) } else { Err(LoginError::InvalidKey) }
}
