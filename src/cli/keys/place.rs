//! Where a key lives, for `locate` and `keys locate`.

use crate::{
    cli::Failure,
    settings::Settings,
    store::{Location, Store},
    types::{Address, FullKey},
};
use std::{sync::Arc, time::Duration};

/// How long those who know the nodes may take to name them.
const ASK_TIMEOUT: Duration = Duration::from_secs(2);

/// Where a key lives, as far as that could be learned.
pub struct KeyLocation {
    pub location: Location,
    /// Why its nodes, and in a Redis Cluster its shard, are not known.
    pub problem: Option<String>,
}

impl KeyLocation {
    /// `None` in a Redis Cluster that does not answer.
    pub fn shard(&self) -> Option<&str> {
        let known = self.problem.is_none() || self.location.slot.is_none();
        known.then_some(self.location.shard.as_str())
    }

    /// An address as it is shown; that of a master is always there, if it is known.
    pub fn shown(&self, address: Option<&Address>) -> String {
        let absent = if self.problem.is_some() { "unknown" } else { "none" };
        address.map_or_else(|| absent.to_owned(), ToString::to_string)
    }
}

/// Places of keys with the same settings.
pub struct KeyLocations {
    store: Store,
    runtime: tokio::runtime::Runtime,
}

impl KeyLocations {
    pub fn new(settings: &Settings) -> Result<Self, Failure> {
        Ok(Self {
            store: Store::new(settings, None, Arc::default()).map_err(Failure::settings)?,
            runtime: super::runtime()?,
        })
    }

    /// Where a key is; those who know the nodes are asked, where that is needed.
    pub fn find(&self, key: &FullKey<'_>) -> KeyLocation {
        let problem = match self.store.locate(key).master {
            Some(_) => None,
            None => self.runtime.block_on(self.store.discover(key, ASK_TIMEOUT)).err(),
        };
        KeyLocation { location: self.store.locate(key), problem }
    }
}
