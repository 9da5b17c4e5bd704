//! How one instance is: the snapshot that the page, `cachefront status` and `/console/facts` all show.
//!
//! It holds no values, and keys only as patterns, hashed unless the settings say otherwise.

use crate::{http::ServiceStatus, telemetry::events::Event};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ConsoleSnapshot {
    pub version: String,
    /// Milliseconds since 1970.
    pub at_ms: u64,
    pub uptime_secs: u64,
    pub status: ServiceStatus,
    /// What is wrong, in sentences.
    pub problems: Vec<String>,
    /// The slots of a Redis Cluster take the place of the ring.
    pub cluster: bool,
    pub shards: Vec<ShardView>,
    pub rates: Rates,
    /// Requests to `/cache` that are being worked on, and how many may be.
    pub in_progress: usize,
    pub in_progress_max: usize,
    /// Absent where it is switched off.
    pub near_cache: Option<NearCacheView>,
    /// Absent where nothing is sampled.
    pub patterns: Option<Patterns>,
    /// The latest first.
    pub events: Vec<Event>,
    /// The last minutes, the oldest first.
    pub history: Vec<Point>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ShardView {
    pub name: String,
    /// Of the hash space or of the slots; those of all shards add up to 1.
    pub share: f64,
    /// On the ring.
    pub weight: Option<u32>,
    /// How many, in a Redis Cluster.
    pub slots: Option<usize>,
    pub readable: bool,
    pub writable: bool,
    /// Two nodes call themselves master.
    pub contested: bool,
    /// How often writes went to another master from then on.
    pub promotions: u64,
    /// The master first.
    pub nodes: Vec<NodeView>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NodeView {
    pub address: String,
    pub role: NodeRoleView,
    pub state: NodeStateView,
    /// Reads may go there, should it come to that.
    pub readable: bool,
    pub in_flight: usize,
    /// How far a replica is behind, as far as that is known.
    pub lag_ms: Option<f64>,
    pub lag_bytes: Option<u64>,
    /// Connections that it has had.
    pub connections: u64,
    /// Of the last ten seconds.
    pub answers_per_sec: f64,
    pub failures_per_sec: f64,
    pub p50_us: Option<f64>,
    pub p99_us: Option<f64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NodeRoleView {
    Master,
    Replica,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NodeStateView {
    Up,
    Connecting,
    Down,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Rates {
    pub last_10_secs: Rate,
    pub last_minute: Rate,
}

/// Requests to `/cache` over some time.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Rate {
    pub requests_per_sec: f64,
    /// Those of batches one by one.
    pub commands_per_sec: f64,
    /// What the service failed, not what callers did wrong.
    pub errors_per_sec: f64,
    /// How long requests took; absent where there were none.
    pub p50_us: Option<f64>,
    pub p99_us: Option<f64>,
    /// Of the looks into the near cache; absent where there were none.
    pub near_hits: Option<f64>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NearCacheView {
    pub entries: usize,
    pub bytes: u64,
    pub bytes_max: usize,
    /// Since the start.
    pub hits: u64,
    pub misses: u64,
}

/// What kinds of keys are asked for most.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Patterns {
    /// Words are shown as hashes, which are others after each start.
    pub hashed: bool,
    /// One command of so many is looked at.
    pub sampled_one_of: u32,
    /// The most frequent first.
    pub top: Vec<PatternView>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PatternView {
    pub pattern: String,
    /// Of the commands of the last minutes, by estimate.
    pub share: f64,
}

/// What happened between two moments.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Point {
    /// The later one, in milliseconds since 1970.
    pub at_ms: u64,
    #[serde(flatten)]
    pub rate: Rate,
}

impl NodeRoleView {
    pub fn word(self) -> &'static str {
        match self {
            Self::Master => "master",
            Self::Replica => "replica",
        }
    }
}

impl NodeStateView {
    pub fn word(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Connecting => "connecting",
            Self::Down => "down",
        }
    }
}

/// Numbers for people need no sixteen places.
pub fn rounded(number: f64) -> f64 {
    (number * 10_000.0).round() / 10_000.0
}
