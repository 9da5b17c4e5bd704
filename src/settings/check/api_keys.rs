//! The rule that an API key identifies one client.

use crate::settings::{
    auth_config::{ApiKeyHash, ClientConfig},
    options::Section,
    section_reader::SettingsReader,
};
use std::collections::{HashMap, HashSet};

/// Records a problem for each client with a hash that another client has, too.
pub fn refuse_shared(clients: &[ClientConfig], settings: &SettingsReader<'_>) {
    let mut owners: HashMap<&ApiKeyHash, &ClientConfig> = HashMap::new();
    let sections: HashMap<_, _> = settings.named_sections(Section::Client).into_iter().collect();
    // The shared secret has no section. It comes first, so that the problem is located in the section of the client.
    let (shared, named): (Vec<&ClientConfig>, Vec<&ClientConfig>) =
        clients.iter().partition(|client| client.any_client_id);
    for client in shared.into_iter().chain(named) {
        for hash in client.api_key_hashes.iter().collect::<HashSet<_>>() {
            let owner = *owners.entry(hash).or_insert(client);
            if std::ptr::eq(owner, client) {
                continue;
            }
            let Some(section) = sections.get(client.id.as_str()) else { continue };
            let owner =
                if owner.any_client_id { "SRVC_SHARED_SECRET".to_owned() } else { format!("[client:{}]", owner.id) };
            let message = format!("is that of {owner}, too: `cachefront hash-key` makes another key");
            section.error("api_key_hash", message);
        }
    }
}
