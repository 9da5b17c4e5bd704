//! An API key says who calls, so it belongs to one client.

use super::{ApiKeyHash, ClientConfig, read::SectionReader};
use std::collections::{HashMap, HashSet};

/// Refuses hashes that two clients have; `section_of` finds the section of a client that has one.
pub fn refuse_shared<'a>(clients: &[ClientConfig], section_of: impl Fn(&str) -> Option<SectionReader<'a>>) {
    let mut owners: HashMap<&ApiKeyHash, &ClientConfig> = HashMap::new();
    // The shared secret comes first: it has no section, so the client's is where the problem stands.
    let (shared, own): (Vec<&ClientConfig>, Vec<&ClientConfig>) =
        clients.iter().partition(|client| client.any_client_id);
    for client in shared.into_iter().chain(own) {
        for hash in client.api_key_hashes.iter().collect::<HashSet<_>>() {
            let owner = *owners.entry(hash).or_insert(client);
            if let Some(section) = section_of(&client.id).filter(|_| !std::ptr::eq(owner, client)) {
                let whose = if owner.any_client_id {
                    "SRVC_SHARED_SECRET".to_owned()
                } else {
                    format!("[client:{}]", owner.id)
                };
                let message = format!("is that of {whose}, too: `cachefront hash-key` makes another key");
                section.error("api_key_hash", message);
            }
        }
    }
}
