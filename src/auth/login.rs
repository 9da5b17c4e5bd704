//! From an API key to its client.

use super::Client;
use crate::settings::digest_api_key;
use aws_lc_rs::constant_time::verify_slices_are_equal;
use std::sync::Arc;

/// The key is nobody's, or not that client's. Which of the two is not said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the API key is not valid")]
pub struct LoginError;

/// Finds the client of a key. Every hash is compared, in constant time, so that the time taken tells nothing.
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
    let client = found.ok_or(LoginError)?;
    let fits = match client_id {
        None => true,
        Some(id) if id == client.id() => true,
        // Whoever has the shared secret may call itself as it likes, but not like a client with its own key.
        Some(id) => client.any_client_id() && clients.iter().all(|other| other.id() != id),
    };
    if fits { Ok(client) } else { Err(LoginError) }
}
