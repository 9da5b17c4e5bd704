//! The nodes of a key, for `keys locate`.

use super::inspect::runtime;
use crate::{
    cli::failure::Failure,
    server::store_config,
    settings::Settings,
    store::{Location, NodeStatus, ShardStatus, Store},
    telemetry::metrics::{LinkState, NodeRole},
    types::{Address, FullKey, error_chain},
};
use std::{collections::BTreeSet, sync::Arc, time::Duration};
use tokio::time::{Instant, sleep};

/// Time for sentinels or cluster nodes to name the nodes, and for the nodes to tell their roles.
const DISCOVERY_TIMEOUT: Duration = Duration::from_secs(2);
/// Interval of the looks at whether all nodes have told their roles.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// The nodes of a key, as far as they are known.
pub struct KeyLocation {
    /// Shard, slot and nodes of the key. The master is the one of the settings until the nodes were asked.
    pub location: Location,
    /// The master that the settings name; `None` where sentinels or a cluster name it.
    pub configured_master: Option<Address>,
    /// The reason why its nodes, and in a Redis Cluster its shard, are not known.
    pub problem: Option<String>,
}

impl KeyLocation {
    /// Returns the name of the shard; `None` in a Redis Cluster that does not answer.
    pub fn shard(&self) -> Option<&str> {
        let known = self.problem.is_none() || self.location.slot.is_none();
        known.then_some(self.location.shard.as_str())
    }

    /// Formats the address of the master, or says that it is not known which node that is now.
    pub fn master(&self) -> String {
        match &self.location.master {
            None if self.configured_master.is_some() => "none answers".to_owned(),
            master => self.format(master.as_ref()),
        }
    }

    /// Returns true if the master is another one than the settings name, or is not known.
    pub fn differs_from_settings(&self) -> bool {
        self.configured_master.is_some() && self.configured_master != self.location.master
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

    /// Locates a key by the settings. Sentinels or cluster nodes are asked where the settings do not name its nodes.
    pub fn locate(&self, key: &FullKey<'_>) -> KeyLocation {
        let configured_master = self.store.locate(key).master;
        let problem = if configured_master.is_some() {
            None
        } else {
            let discovered = self.runtime.block_on(self.store.discover(key, DISCOVERY_TIMEOUT));
            discovered.err().map(|error| error_chain(&error))
        };
        KeyLocation { location: self.store.locate(key), configured_master, problem }
    }

    /// Asks the nodes of the keys for their roles, where the settings name the masters. From then on the locations have the
    /// nodes that are masters now; a master that is not known is absent.
    pub fn ask_roles(&self, keys: &[FullKey<'_>], locations: &mut [KeyLocation]) {
        let is_configured = |place: &&KeyLocation| place.configured_master.is_some();
        let names: BTreeSet<String> =
            locations.iter().filter(is_configured).map(|place| place.location.shard.clone()).collect();
        if names.is_empty() {
            return;
        }
        let shards = self.runtime.block_on(async {
            tokio::select! {
                shards = self.roles(&names) => shards,
                () = self.store.clone().run(Vec::new()) => Vec::new(),
            }
        });
        for (key, place) in keys.iter().zip(locations).filter(|(_, place)| place.configured_master.is_some()) {
            place.location = self.store.locate(key);
            let shard = shards.iter().find(|shard| shard.health.name == place.location.shard);
            if !shard.is_some_and(|shard| shard.health.can_write() && shard.nodes.iter().any(is_master)) {
                place.location.master = None;
            }
        }
    }

    /// Waits until the nodes of these shards have told their roles, or the time is up.
    async fn roles(&self, names: &BTreeSet<String>) -> Vec<ShardStatus> {
        let end = Instant::now() + DISCOVERY_TIMEOUT;
        loop {
            let mut shards = self.store.status().shards;
            shards.retain(|shard| names.contains(&shard.health.name));
            if shards.iter().all(is_heard) || Instant::now() >= end {
                return shards;
            }
            sleep(LOOK_EVERY).await;
        }
    }
}

/// Returns true if all nodes of a shard have told their roles, or are not reachable.
fn is_heard(shard: &ShardStatus) -> bool {
    shard.nodes.iter().all(|node| node.readable || node.reports_master || node.state == LinkState::Down)
}

/// Returns true if a node is the master of its shard, and says so itself.
fn is_master(node: &NodeStatus) -> bool {
    node.role == NodeRole::Master && node.reports_master
}
