//! The list of all metrics, which `/metrics` and docs/metrics.md share.

/// A metric: its name, kind, labels and description.
#[derive(Debug)]
pub struct Metric {
    /// The name in Prometheus. It ends with the unit, and `_total` ends the name of a counter.
    pub name: &'static str,
    /// The kind of the metric.
    pub kind: MetricKind,
    /// The names of its labels.
    pub labels: &'static [&'static str],
    /// The description, without a full stop at its end.
    pub help: &'static str,
}

/// The kind of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricKind {
    /// A number that only grows.
    Counter,
    /// A number that rises and falls.
    Gauge,
    /// A distribution of durations.
    Histogram,
    /// A constant 1 with information in its labels.
    Info,
}

const fn counter(name: &'static str, labels: &'static [&'static str], help: &'static str) -> Metric {
    Metric { name, kind: MetricKind::Counter, labels, help }
}

const fn gauge(name: &'static str, labels: &'static [&'static str], help: &'static str) -> Metric {
    Metric { name, kind: MetricKind::Gauge, labels, help }
}

const fn histogram(name: &'static str, labels: &'static [&'static str], help: &'static str) -> Metric {
    Metric { name, kind: MetricKind::Histogram, labels, help }
}

macro_rules! metrics {
    ($($constant:ident = $metric:expr;)+) => {
        $(#[doc = concat!("The metric `", stringify!($constant), "`.")] pub const $constant: Metric = $metric;)+

        /// All metrics, in the order of the documentation.
        pub const ALL: &[Metric] = &[$($constant,)+];
    };
}

/// The labels of the metrics of nodes.
const OF_NODE: &[&str] = &["shard", "node"];

metrics! {
    // Requests
    REQUEST_DURATION = histogram("cachefront_request_duration_seconds", &["endpoint", "command", "outcome"], "Duration of requests, from the end of their head to the response; `_count` is their number. A batch is one request");
    COMMANDS = counter("cachefront_commands_total", &["command", "outcome"], "Commands, including those in batches");
    LOGINS = counter("cachefront_logins_total", &["outcome"], "Logins");
    TOKEN_CACHE = counter("cachefront_token_cache_lookups_total", &["outcome"], "Tokens that were found (hit) or not found (miss) in the cache of verified tokens");
    SHEDS = counter("cachefront_sheds_total", &["cause"], "Requests and commands that were refused at once because of load");
    ERRORS = counter("cachefront_errors_total", &["code"], "Errors in replies, by their code; each failed command of a batch counts");
    IN_PROGRESS = gauge("cachefront_requests_in_progress", &[], "Requests to /cache in progress");
    REQUESTS_MAX = gauge("cachefront_requests_max", &[], "Maximum number of requests to /cache in progress");
    BODY_MEMORY = gauge("cachefront_bodies_bytes", &[], "Memory in use for the bodies of commands");
    BODY_MEMORY_MAX = gauge("cachefront_bodies_max_bytes", &[], "Maximum memory for the bodies of commands");
    REPLY_MEMORY = gauge("cachefront_replies_bytes", &[], "Memory in use for replies of more than 4 KiB, until their last byte was sent");
    REPLY_MEMORY_MAX = gauge("cachefront_replies_max_bytes", &[], "Maximum memory for replies");

    // Near cache
    NEAR_LOOKUPS = counter("cachefront_near_cache_lookups_total", &["outcome"], "Reads that the near cache answered (hit) or did not answer (miss). The metrics of the near cache are absent if it is switched off");
    NEAR_INSERTED = counter("cachefront_near_cache_kept_total", &[], "Values that were inserted into the near cache");
    NEAR_INVALIDATED = counter("cachefront_near_cache_forgotten_total", &[], "Invalidations of keys whose value was in the near cache or being fetched for it");
    NEAR_ENTRIES = gauge("cachefront_near_cache_entries", &[], "Entries of the near cache");
    NEAR_BYTES = gauge("cachefront_near_cache_bytes", &[], "Memory in use by the entries of the near cache");

    // Values
    SEALED = counter("cachefront_values_sealed_total", &[], "Values that were sealed before they were written");
    OPENED = counter("cachefront_values_opened_total", &["outcome"], "Sealed values that were read, by the outcome of their decryption");

    // Reads and writes
    FALLBACKS = counter("cachefront_read_fallbacks_total", &["cause"], "Reads that were answered by another node than the preferred one of their key");
    HEDGES = counter("cachefront_hedges_total", &[], "Reads that were also sent to a second node because the first one was slow");
    HEDGES_WON = counter("cachefront_hedges_won_total", &[], "Hedged reads that the second node answered first");
    RETRIES = counter("cachefront_write_retries_total", &[], "Writes that were sent again after a node refused them without executing them");
    REDIRECTIONS = counter("cachefront_redirections_total", &["kind"], "MOVED and ASK of a Redis Cluster that were followed");

    // Inspection of answers
    INSPECTED_ANSWERS = counter("cachefront_inspected_answers_total", &["source"], "Answers that were compared with the master a moment later");
    INSPECTED_CHANGES = counter("cachefront_inspected_changes_total", &[], "Changes whose key was watched: every read of it that followed was compared with the change");
    OLDER_THAN_PROMISED = counter("cachefront_answers_older_than_promised_total", &["promise"], "Inspected answers that were older than a promise allows. This is never normal");
    INCONCLUSIVE = counter("cachefront_inspections_inconclusive_total", &[], "Inspections that proved nothing, because the key changed again, its shard or master changed, or a node did not answer");
    STALENESS = histogram("cachefront_answer_staleness_seconds", &["source"], "Least age of inspected answers: the time for which the master is known to have had another value when the source still gave the same answer; 0 if it had none");

    // Shards and nodes
    SHARD_READABLE = gauge("cachefront_shard_readable", &["shard"], "1 if at least one node of the shard is readable, else 0");
    SHARD_WRITABLE = gauge("cachefront_shard_writable", &["shard"], "1 if the master of the shard is reachable and takes writes, else 0");
    SHARD_HELD = gauge("cachefront_shard_held", &["shard"], "1 while a node that calls itself master is not used, because it came back without data that its replicas have, or because nothing proves that it took over from the listed master, which is down; else 0");
    SHARD_SPLIT_BRAIN = gauge("cachefront_shard_contested", &["shard"], "1 while two nodes of the shard report the role of master, else 0");
    SHARD_REPLICAS = gauge("cachefront_shard_replicas", &["shard"], "Configured or announced replicas of the shard");
    SHARD_REPLICAS_READABLE = gauge("cachefront_shard_replicas_readable", &["shard"], "Readable replicas of the shard");
    PROMOTIONS = counter("cachefront_shard_promotions_total", &["shard"], "Changes of the shard's master");
    MASTERS_WITHOUT_DATA = counter("cachefront_shard_masters_without_data_total", &["shard"], "Times that the master came back without data that its replicas had, or that a node called itself master without proof while the listed master was down");
    SHARD_FAILURES = counter("cachefront_shard_failures_total", &["shard", "cause"], "Commands of callers that failed because of the shard, by cause");
    NODE_STATE = gauge("cachefront_node_state", &["shard", "node", "state"], "1 for the current state of the connection to the node, else 0");
    NODE_ROLE = gauge("cachefront_node_role", &["shard", "node", "role"], "1 for the current role of the node in its shard, else 0");
    NODE_REPORTS_MASTER = gauge("cachefront_node_reports_master", OF_NODE, "1 if the node itself reports the role of master, else 0. Two nodes of a shard with 1 are a split brain; cachefront_node_role says which of them is used");
    NODE_IN_FLIGHT = gauge("cachefront_node_commands_in_flight", OF_NODE, "Commands in flight to the node");
    NODE_LAG = gauge("cachefront_node_replication_lag_seconds", OF_NODE, "Time since the moment up to which the replica is known to have every change; it includes the time between two probes. Absent while the master is not reachable, because the replica has nothing to catch up with");
    NODE_LAG_BYTES = gauge("cachefront_node_replication_lag_bytes", OF_NODE, "Bytes by which the replica's offset was behind its master's at the last probes; absent if it is not known");
    NODE_CONNECTIONS = counter("cachefront_node_connections_total", OF_NODE, "Connections opened to the node");
    NODE_DURATION = histogram("cachefront_node_duration_seconds", OF_NODE, "Duration of commands and pipelines on the node; writes that wait for replicas are not included");
    NODE_FAILURES = counter("cachefront_node_failures_total", &["shard", "node", "cause"], "Commands and pipelines that failed on the node");

    NODE_MEMORY = gauge("cachefront_node_memory_bytes", OF_NODE, "Memory that the Redis process uses for its data, as INFO reports it (used_memory)");
    NODE_MEMORY_MAX = gauge("cachefront_node_memory_max_bytes", OF_NODE, "Maximum memory of the Redis process (maxmemory); 0 if it has no limit");
    NODE_KEYS = gauge("cachefront_node_keys", OF_NODE, "Keys that the Redis process holds, in all its databases");
    NODE_EVICTED = counter("cachefront_node_evicted_keys_total", OF_NODE, "Keys that Redis removed because its memory was full, since the Redis process started");
    NODE_EXPIRED = counter("cachefront_node_expired_keys_total", OF_NODE, "Keys whose time to live ended, since the Redis process started");
    NODE_KEYSPACE = counter("cachefront_node_keyspace_lookups_total", &["shard", "node", "outcome"], "Lookups of keys by all clients of the Redis process that found the key (hit) or did not (miss), since the Redis process started");

    // Connections of callers
    CERTIFICATE_EXPIRY = gauge("cachefront_certificate_expiry_timestamp_seconds", &["certificate"], "End of the validity of a certificate in use (notAfter), in seconds since 1970: the one for callers (`service`, `TLS_CERT`) or the one for Redis (`redis_client`, `client_cert`)");
    CERTIFICATE_VALID_FROM = gauge("cachefront_certificate_valid_from_timestamp_seconds", &["certificate"], "Beginning of the validity of the same certificate (notBefore), in seconds since 1970; a time in the future means that it is not valid yet");
    CONNECTIONS = gauge("cachefront_connections_open", &["listener"], "Open connections");
    CONNECTIONS_MAX = gauge("cachefront_connections_max", &["listener"], "Maximum number of open connections");
    CONNECTIONS_ACCEPTED = counter("cachefront_connections_accepted_total", &["listener"], "Connections that were accepted");
    CONNECTIONS_REFUSED = counter("cachefront_connections_refused_total", &["listener", "cause"], "Connections that were closed at once because of a limit");
    CONNECTIONS_EVICTED = counter("cachefront_connections_evicted_total", &["listener"], "Connections that were closed before they authenticated, because another one needed their place");
    CONNECTIONS_LEFT_LANE = counter("cachefront_connections_left_lane_total", &[], "Connections to the HTTPS port that left the lane, the short way for commands: those of HTTP/2, and those with an unusual request");
    CONNECTIONS_MOVED = counter("cachefront_connections_moved_total", &[], "Connections to the HTTPS port that moved to another worker, because theirs was much busier");
    ACCEPT_FAILURES = counter("cachefront_accept_failures_total", &["listener"], "Connections that the operating system did not hand over, usually because too many files are open");
    HANDSHAKES_FAILED = counter("cachefront_handshakes_failed_total", &["listener"], "TLS handshakes and PROXY headers that failed or timed out");

    // Settings and process
    RELOADS = counter("cachefront_settings_reloads_total", &["outcome"], "Reloads of the settings");
    RELOAD_SUCCESSFUL = gauge("cachefront_settings_last_reload_successful", &[], "0 if the last reload of the settings was refused, else 1");
    SETTINGS_LOADED = gauge("cachefront_settings_loaded_timestamp_seconds", &[], "Time at which the settings in use were loaded, in seconds since 1970");
    SPANS = counter("cachefront_spans_total", &["outcome"], "Spans of traces: sent to the collector, dropped because the queue was full, or not accepted by the collector (failed)");
    BUILD = Metric { name: "cachefront_build_info", kind: MetricKind::Info, labels: &["version"], help: "Version of the service" };
    RUNTIME_WORKERS = gauge("cachefront_runtime_workers", &[], "Worker threads");
    RUNTIME_TASKS = gauge("cachefront_runtime_tasks_alive", &[], "Tasks that have not ended");
    RUNTIME_QUEUE = gauge("cachefront_runtime_global_queue_depth", &[], "Tasks that are ready to run and wait for a worker");
    RUNTIME_BUSY = counter("cachefront_runtime_worker_busy_seconds_total", &["worker"], "Time that the worker was busy");
    PROCESS_CPU = counter("process_cpu_seconds_total", &[], "User and kernel time of the process");
    PROCESS_MEMORY = gauge("process_resident_memory_bytes", &[], "Resident memory of the process");
    MEMORY_LIMIT = gauge("cachefront_memory_limit_bytes", &[], "Memory that the process may use: the limit of its container, else the memory of the machine");
    PROCESS_FDS = gauge("process_open_fds", &[], "Open file descriptors");
    PROCESS_FDS_MAX = gauge("process_max_fds", &[], "Maximum number of open file descriptors");
    PROCESS_START = gauge("process_start_time_seconds", &[], "Start of the process, in seconds since 1970");
}

impl Metric {
    /// Returns the name of the metric family in `OpenMetrics`: the name without the suffix of its kind.
    pub fn family(&self) -> &'static str {
        let suffix = match self.kind {
            MetricKind::Counter => "_total",
            MetricKind::Info => "_info",
            MetricKind::Gauge | MetricKind::Histogram => "",
        };
        self.name.strip_suffix(suffix).unwrap_or(self.name)
    }

    /// Returns the unit if the name ends with one.
    pub fn unit(&self) -> Option<&'static str> {
        ["seconds", "bytes"].into_iter().find(|unit| self.family().ends_with(&format!("_{unit}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn names_are_unique_plain_words_with_their_kind_and_unit_at_the_end() {
        let names: BTreeSet<_> = ALL.iter().map(Metric::family).collect();
        assert_eq!(names.len(), ALL.len(), "two metrics share a name");
        for metric in ALL {
            let is_plain = metric.name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
            assert!(is_plain, "{}", metric.name);
            assert_eq!(metric.kind == MetricKind::Counter, metric.name.ends_with("_total"), "{}", metric.name);
            assert!(!metric.help.ends_with('.') && !metric.help.is_empty(), "{}", metric.name);
            assert!(metric.kind != MetricKind::Histogram || metric.unit() == Some("seconds"), "{}", metric.name);
        }
    }
}
