//! The settings of a store.

use crate::{
    settings::{InspectionConfig, RedisConfig, RedisLoginConfig, Topology},
    store::{consistency::SyncTokenKey, simulation::Simulation},
};
use std::sync::Arc;

/// The settings of a store.
pub struct Config<'a> {
    /// The shards and nodes, or those who know them.
    pub topology: &'a Topology,
    /// The connections to nodes.
    pub redis: &'a Arc<RedisConfig>,
    /// Login and certificates for the nodes.
    pub login: &'a RedisLoginConfig,
    /// The inspection of answers.
    pub inspection: InspectionConfig,
    /// The key that signs sync tokens.
    pub sync_token_key: SyncTokenKey,
    /// The simulation that takes the place of the network; `None` in production.
    pub simulation: Option<Arc<dyn Simulation>>,
}
