//! The nodes of a key, for `keys locate`.

use super::inspect::runtime;
use crate::{
    cli::failure::Failure,
    server::store_config,
    settings::Settings,
    store::{Location, Store},
    types::{Address, FullKey, error_chain},
};
use std::{sync::Arc, time::Duration};

/// Time for sentinels or cluster nodes to name the nodes.
const DISCOVERY_TIMEOUT: Duration = Duration::from_secs(2);

/// The nodes of a key, as far as they are known.
pub struct KeyLocation {
    /// Shard, slot and nodes of the key.
    pub location: Location,
    /// The reason why its nodes, and in a Redis Cluster its shard, are not known.
    pub problem: Option<String>,
}

impl KeyLocation {
    /// Returns the name of the shard; `None` in a Redis Cluster that does not answer.
    pub fn shard(&self) -> Option<&str> {
        let known = self.problem.is_none() || self.location.slot.is_none();
        known.then_some(self.location.shard.as_str())
    }

    /// Formats the address of one of the nodes; a key can lack a replica, but never a master.
    pub fn format(&self, address: Option<&Address>) -> String {
        let absent = if self.problem.is_some() { "unknown" } else { "none" };
        address.map_or_else(|| absent.to_owned(), ToString::to_string)
    }
}

/// Locates keys with one set of settings.
pub struct KeyLocator {
    store: Store,
    runtime: tokio::runtime::Runtime,
}

impl KeyLocator {
    /// Builds a store from the settings; nothing is connected yet.
    pub fn new(settings: &Settings) -> Result<Self, Failure> {
        Ok(Self {
            store: Store::new(store_config(settings), None, Arc::default()).map_err(Failure::invalid_settings)?,
            runtime: runtime()?,
        })
    }

    /// Locates a key. Sentinels or cluster nodes are asked where the settings do not name its nodes.
    pub fn locate(&self, key: &FullKey<'_>) -> KeyLocation {
        let problem = if self.store.locate(key).master.is_some() {
            None
        } else {
            let discovered = self.runtime.block_on(self.store.discover(key, DISCOVERY_TIMEOUT));
            discovered.err().map(|error| error_chain(&error))
        };
        KeyLocation { location: self.store.locate(key), problem }
    }
}
