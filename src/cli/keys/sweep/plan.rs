//! The plan of a sweep: the ring that says where keys belong, and the keys that are looked at.

use crate::{
    cli::failure::Failure,
    ring::Weight,
    settings::{Settings, Topology},
    types::Namespace,
};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// The facts that two runs must have in common if the second one is to go on where the first one ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SweepPlan {
    /// The name and the weight of each shard, which decide where keys belong.
    pub shards: Vec<(String, Weight)>,
    /// The number of the database.
    pub db: i64,
    /// The pattern of the keys; `None` for all keys.
    pub pattern: Option<String>,
    /// Misplaced keys are deleted.
    pub delete: bool,
}

impl SweepPlan {
    /// Takes the ring from the settings. The pattern is applied within the namespace of a client, if there is one.
    pub fn new(
        settings: &Settings,
        namespace: Option<&Namespace>,
        pattern: Option<&str>,
        delete: bool,
    ) -> Result<Self, Failure> {
        let shards = match &settings.topology {
            Topology::Static(shards) => shards.iter().map(|shard| (shard.name.clone(), shard.weight)).collect(),
            Topology::Sentinel(sentinels) => {
                sentinels.shards.iter().map(|shard| (shard.name.clone(), shard.weight)).collect()
            }
            Topology::Cluster(_) => {
                return Err(Failure::usage(
                    "these settings name a Redis Cluster, which moves its own keys: there is nothing to sweep",
                ));
            }
        };
        let pattern = match namespace {
            Some(namespace) => Some(format!("{}:{}", namespace.name(), pattern.unwrap_or("*"))),
            None => pattern.map(str::to_owned),
        };
        Ok(Self { shards, db: settings.redis.db, pattern, delete })
    }

    /// Describes the plan in one sentence.
    pub fn text(&self, settings: &Path) -> String {
        let shards: Vec<_> = self.shards.iter().map(|(name, weight)| format!("{name} (weight {weight})")).collect();
        let keys = self.pattern.as_ref().map_or_else(|| "all keys".to_owned(), |pattern| format!("keys {pattern}"));
        let mode = if self.delete { "misplaced keys are deleted" } else { "dry run, nothing is deleted" };
        format!(
            "Sweep with {}: shards {}; database {}; {keys}; {mode}.",
            settings.display(),
            shards.join(", "),
            self.db
        )
    }
}
