//! The snapshot of one instance that the page, `cachefront status` and `/console/facts` show.
//!
//! It holds no values. Keys appear only as patterns, which are hashed unless the settings say otherwise.

use super::runbook;
use crate::{
    http::{FailedRequest, ServiceStatus},
    ring::Weight,
    telemetry::events::Event,
};
use serde::{Deserialize, Serialize};

/// The state of one instance at one moment.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ConsoleSnapshot {
    /// The name of the host or pod. Empty in instances of earlier releases.
    #[serde(default)]
    pub instance: String,
    /// The version of the service.
    pub version: String,
    /// The moment of the snapshot, in milliseconds since 1970.
    pub at_ms: u64,
    /// Seconds since the service started.
    pub uptime_secs: u64,
    /// The readiness in one word.
    pub status: ServiceStatus,
    /// The problems of the instance, each in one sentence.
    pub problems: Vec<String>,
    /// True for a Redis Cluster, whose slots take the place of the ring.
    pub cluster: bool,
    /// All shards.
    pub shards: Vec<ShardView>,
    /// The recent rates of requests to `/cache`.
    pub rates: Rates,
    /// The requests to `/cache` that are running.
    pub in_progress: usize,
    /// Maximum number of requests to `/cache` that run at a time.
    pub in_progress_max: usize,
    /// The near cache, absent where it is off.
    pub near_cache: Option<NearCacheView>,
    /// The inspection of answers, absent in instances of earlier releases.
    pub inspection: Option<InspectionView>,
    /// The patterns of keys, absent where nothing is sampled.
    pub patterns: Option<Patterns>,
    /// The recent events, the latest first.
    pub events: Vec<Event>,
    /// The last failed requests of each class, the latest first. Empty in instances of earlier releases.
    #[serde(default)]
    pub failed: Vec<FailedRequest>,
    /// The errors in replies by their code, the most frequent first. Empty in instances of earlier releases.
    #[serde(default)]
    pub errors: Vec<ErrorCount>,
    /// The process, absent in instances of earlier releases.
    pub process: Option<ProcessView>,
    /// The rates of the last five minutes, the oldest first.
    pub history: Vec<Point>,
    /// The rates of the last hour, or since the start, the oldest first. Empty in instances of earlier releases.
    #[serde(default)]
    pub hour: Vec<Point>,
}

/// The resources of the process, its connections and its certificate.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ProcessView {
    /// The processor cores that the process uses, in the last ten seconds; absent where that is not known.
    pub cpu_cores: Option<f64>,
    /// The memory in use; absent where that is not known.
    pub memory_bytes: Option<u64>,
    /// The memory that the process may use; absent where that is not known.
    pub memory_bytes_max: Option<u64>,
    /// The open connections to the HTTPS port.
    pub connections: u64,
    /// Maximum number of open connections to the HTTPS port.
    pub connections_max: u64,
    /// The end of the certificate's validity, in seconds since 1970; absent without a certificate.
    pub certificate_until_secs: Option<i64>,
}

/// The errors with one code.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ErrorCount {
    /// The code.
    pub code: String,
    /// The errors in the last minute.
    pub last_minute: u64,
    /// The errors since the start.
    pub since_start: u64,
}

/// The failed commands of a shard that have one cause.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FailureCount {
    /// The cause, as metrics name it.
    pub cause: String,
    /// The failed commands since the start.
    pub since_start: u64,
}

/// The memory and the keys of a Redis process, as it reports them.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NodeResourcesView {
    /// The memory in use.
    pub memory_bytes: u64,
    /// The limit on the memory; 0 if there is none.
    pub memory_bytes_max: u64,
    /// The keys in all databases.
    pub keys: u64,
    /// The keys that were removed because the memory was full, since the Redis process started.
    pub evicted_keys: u64,
    /// The part of the lookups in Redis that found their key, since the Redis process started; absent where there was none.
    pub hits: Option<f64>,
}

/// The problem of a shard in sentences.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ShardProblem {
    /// The fault, with the name of the shard and the addresses of the nodes that it concerns.
    pub cause: String,
    /// The commands that fail because of the fault.
    pub effect: String,
    /// The next step; empty if that depends on the cause.
    pub advice: String,
    /// The heading of the section of docs/operations.md, and of `/console/runbook`, that says more.
    pub runbook: String,
}

impl ShardProblem {
    /// Returns the path of the runbook, on the admin port.
    pub fn runbook_path(&self) -> String {
        runbook::path(&self.runbook)
    }

    /// Returns all sentences.
    pub fn text(&self) -> String {
        let Self { cause, effect, advice, .. } = self;
        format!("{cause} {effect} {advice}").trim_end().to_owned()
    }
}

/// A shard and its nodes.
#[expect(clippy::struct_excessive_bools, reason = "independent facts, as the JSON has them")]
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ShardView {
    /// The name of the shard.
    pub name: String,
    /// The part of the hash space or of the slots. The parts of all shards add up to 1.
    pub share: f64,
    /// The weight on the ring, absent in a Redis Cluster.
    pub weight: Option<Weight>,
    /// The number of slots, absent outside a Redis Cluster.
    pub slots: Option<usize>,
    /// Some node can be read.
    pub readable: bool,
    /// The master takes writes.
    pub writable: bool,
    /// Two nodes call themselves master.
    pub contested: bool,
    /// The master is not used, because it came back without data that its replicas have. Older releases do not tell.
    #[serde(default)]
    pub held: bool,
    /// The address of a node that calls itself master without proof while the master is down, and is not used yet. Older
    /// releases do not tell.
    #[serde(default)]
    pub candidate: Option<String>,
    /// The address of the announced master, if it does not answer. Older releases do not tell.
    #[serde(default)]
    pub absent_successor: Option<String>,
    /// The problem in sentences, absent while the shard does all that it should. Older releases do not tell.
    #[serde(default)]
    pub problem: Option<ShardProblem>,
    /// The number of times that another node became master.
    pub promotions: u64,
    /// The commands per second that failed because of the shard, in the last ten seconds. Older releases do not tell.
    #[serde(default)]
    pub failures_per_sec: f64,
    /// The commands that failed because of the shard. Older releases do not tell.
    #[serde(default)]
    pub failures: Vec<FailureCount>,
    /// The nodes, the master first.
    pub nodes: Vec<NodeView>,
}

impl NodeView {
    /// Returns the role as people read it: a node that calls itself master and takes no writes differs from a replica.
    pub fn role_word(&self) -> &'static str {
        match (self.role, self.reports_master) {
            (NodeRoleView::Replica, true) => "calls itself master",
            (role, _) => role.word(),
        }
    }
}

impl ShardView {
    /// Returns the master, whatever its state.
    pub fn master(&self) -> Option<&NodeView> {
        self.nodes.iter().find(|node| node.role == NodeRoleView::Master)
    }

    /// Returns the number of nodes that reads may be sent to.
    pub fn readable_nodes(&self) -> usize {
        self.nodes.iter().filter(|node| node.readable).count()
    }
}

/// A node of a shard.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NodeView {
    /// The address, as configured or as the topology announces it.
    pub address: String,
    /// The role in the shard.
    pub role: NodeRoleView,
    /// The node itself reports the role of master. Older releases do not tell.
    #[serde(default)]
    pub reports_master: bool,
    /// The state of the connection.
    pub state: NodeStateView,
    /// Reads may be sent to the node.
    pub readable: bool,
    /// The commands that wait for a reply.
    pub in_flight: usize,
    /// The replication lag in milliseconds, as far as it is known.
    pub lag_ms: Option<f64>,
    /// The replication lag in bytes, as far as it is known.
    pub lag_bytes: Option<u64>,
    /// The connections that were opened to the node.
    pub connections: u64,
    /// The replies per second, in the last ten seconds.
    pub answers_per_sec: f64,
    /// The failures per second, in the last ten seconds.
    pub failures_per_sec: f64,
    /// The median time to a reply in microseconds, in the last ten seconds.
    pub p50_us: Option<f64>,
    /// The 99th percentile of the time to a reply in microseconds, in the last ten seconds.
    pub p99_us: Option<f64>,
    /// The memory and the keys of the Redis process, as far as they are known.
    pub resources: Option<NodeResourcesView>,
}

/// The role of a node in its shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NodeRoleView {
    /// The node takes the writes.
    Master,
    /// The node follows the master.
    Replica,
}

/// The state of the connection to a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NodeStateView {
    /// There is a connection.
    Up,
    /// A connection is being opened.
    Connecting,
    /// There is no connection.
    Down,
}

/// The rates of requests to `/cache` over two spans of time.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Rates {
    /// The rate over the last ten seconds.
    pub last_10_secs: Rate,
    /// The rate over the last minute.
    pub last_minute: Rate,
}

/// The rate of requests to `/cache` over a span of time.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Rate {
    /// Requests per second.
    pub requests_per_sec: f64,
    /// Commands per second, those of batches counted one by one.
    pub commands_per_sec: f64,
    /// Commands per second that failed through no fault of their caller.
    pub errors_per_sec: f64,
    /// The median duration of a request in microseconds, absent where there was none.
    pub p50_us: Option<f64>,
    /// The 99th percentile of the duration in microseconds, absent where there was no request.
    pub p99_us: Option<f64>,
    /// The part of the lookups in the near cache that found a value, absent where there was none.
    pub near_hits: Option<f64>,
    /// The part of the READs that found a value, absent where there was none.
    pub hits: Option<f64>,
}

/// The near cache of this process.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NearCacheView {
    /// The number of values.
    pub entries: usize,
    /// The bytes of all values.
    pub bytes: u64,
    /// Maximum size of all values in bytes.
    pub bytes_max: usize,
    /// The lookups that found a value, since the start.
    pub hits: u64,
    /// The lookups that found none, since the start.
    pub misses: u64,
}

/// The inspection of answers since the start: some were compared with the master a moment later.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct InspectionView {
    /// The answers that were compared.
    pub answers: u64,
    /// The changes whose reads were watched.
    pub changes: u64,
    /// The answers that were older than a promise allows.
    pub older_than_promised: u64,
    /// The 99th percentile of the least age of answers in microseconds, absent where none was compared.
    pub age_p99_us: Option<f64>,
}

/// The patterns of the keys that are asked for most.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Patterns {
    /// True where words are shown as hashes, which differ after each start.
    pub hashed: bool,
    /// The number of commands of which one is sampled.
    pub sampled_one_of: u32,
    /// The patterns, the most frequent first.
    pub top: Vec<PatternView>,
}

/// A pattern of keys.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PatternView {
    /// The pattern.
    pub pattern: String,
    /// The estimated part of the commands of the last minutes.
    pub share: f64,
}

/// The rate between two samples.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Point {
    /// The moment of the later sample, in milliseconds since 1970.
    pub at_ms: u64,
    /// The rate since the sample before.
    #[serde(flatten)]
    pub rate: Rate,
}

impl NodeRoleView {
    /// Returns the role as people read it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Master => "master",
            Self::Replica => "replica",
        }
    }
}

impl NodeStateView {
    /// Returns the state as people read it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Connecting => "connecting",
            Self::Down => "down",
        }
    }
}

/// Rounds a number to the four decimal places that people can use.
pub fn rounded(number: f64) -> f64 {
    (number * 10_000.0).round() / 10_000.0
}
