//! Every metric there is: the one list that `/metrics` and docs/metrics.md share.

/// One metric, with all its labels.
#[derive(Debug)]
pub struct Metric {
    /// As Prometheus knows it. Units end the name, and `_total` ends a counter's.
    pub name: &'static str,
    pub kind: MetricKind,
    pub labels: &'static [&'static str],
    pub help: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricKind {
    Counter,
    Gauge,
    Histogram,
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
        $(pub const $constant: Metric = $metric;)+

        /// In the order in which the documentation shows them.
        pub const ALL: &[Metric] = &[$($constant,)+];
    };
}

const OF_NODE: &[&str] = &["shard", "node"];

metrics! {
    // Requests
    REQUEST_DURATION = histogram("cachefront_request_duration_seconds", &["endpoint", "command", "outcome"], "How long requests took, from their head until their answer; `_count` counts them. A batch is one request");
    COMMANDS = counter("cachefront_commands_total", &["command", "outcome"], "Commands, those of batches included");
    LOGINS = counter("cachefront_logins_total", &["outcome"], "Logins");
    TOKEN_CACHE = counter("cachefront_token_cache_lookups_total", &["outcome"], "Tokens that were (hit) or were not (miss) among those verified before");
    SHEDS = counter("cachefront_sheds_total", &["cause"], "Requests and commands refused at once, because there is too much to do");
    IN_PROGRESS = gauge("cachefront_requests_in_progress", &[], "Requests to /cache that are being worked on");
    REQUESTS_MAX = gauge("cachefront_requests_max", &[], "Requests to /cache that may be worked on at once");
    BODY_MEMORY = gauge("cachefront_bodies_bytes", &[], "Memory that the bodies of commands take");
    BODY_MEMORY_MAX = gauge("cachefront_bodies_max_bytes", &[], "Memory that they may take");

    // Near cache
    NEAR_LOOKUPS = counter("cachefront_near_cache_lookups_total", &["outcome"], "Reads that the near cache answered (hit) or did not (miss); this and what follows is absent where it is switched off");
    NEAR_KEPT = counter("cachefront_near_cache_kept_total", &[], "Values that came to be kept in the near cache");
    NEAR_FORGOTTEN = counter("cachefront_near_cache_forgotten_total", &[], "Keys that changed while something of them was kept in the near cache, or being fetched");
    NEAR_ENTRIES = gauge("cachefront_near_cache_entries", &[], "Entries of the near cache");
    NEAR_BYTES = gauge("cachefront_near_cache_bytes", &[], "Memory that they take together");

    // Values
    SEALED = counter("cachefront_values_sealed_total", &[], "Values that were sealed before they were written");
    OPENED = counter("cachefront_values_opened_total", &["outcome"], "Sealed values that were read, and whether they opened");

    // Reading and changing
    FALLBACKS = counter("cachefront_read_fallbacks_total", &["cause"], "Reads that another node answered than the one their key is drawn to");
    HEDGES = counter("cachefront_hedges_total", &[], "Reads that were sent to a second node as well, because the first one was slow");
    HEDGES_WON = counter("cachefront_hedges_won_total", &[], "Such reads that the second node answered first");
    RETRIES = counter("cachefront_write_retries_total", &[], "Changes that were sent again, after a node refused them without running them");
    REDIRECTIONS = counter("cachefront_redirections_total", &["kind"], "MOVED and ASK of a Redis Cluster that were followed");

    // Shards and nodes
    SHARD_READABLE = gauge("cachefront_shard_readable", &["shard"], "1 if some node of the shard can be read");
    SHARD_WRITABLE = gauge("cachefront_shard_writable", &["shard"], "1 if the shard has a master that can be reached");
    SHARD_CONTESTED = gauge("cachefront_shard_contested", &["shard"], "1 while two nodes call themselves master");
    SHARD_REPLICAS = gauge("cachefront_shard_replicas", &["shard"], "Replicas that there should be");
    SHARD_REPLICAS_READABLE = gauge("cachefront_shard_replicas_readable", &["shard"], "Replicas that can be read");
    PROMOTIONS = counter("cachefront_shard_promotions_total", &["shard"], "Times that writes went to another master from then on");
    NODE_STATE = gauge("cachefront_node_state", &["shard", "node", "state"], "1 for the state that the connection to the node is in, else 0");
    NODE_ROLE = gauge("cachefront_node_role", &["shard", "node", "role"], "1 for the part that the node has in its shard, else 0");
    NODE_IN_FLIGHT = gauge("cachefront_node_commands_in_flight", OF_NODE, "Commands that wait for the node's answer");
    NODE_LAG = gauge("cachefront_node_replication_lag_seconds", OF_NODE, "Age of the moment until which a replica is known to have every change; the time between two probes is part of it");
    NODE_LAG_BYTES = gauge("cachefront_node_replication_lag_bytes", OF_NODE, "How far a replica's offset was behind its master's when both were last asked; absent where that is not known");
    NODE_CONNECTIONS = counter("cachefront_node_connections_total", OF_NODE, "Connections that were opened to the node");
    NODE_DURATION = histogram("cachefront_node_duration_seconds", OF_NODE, "How long the node took to answer a command or pipeline; changes that wait for replicas are left out");
    NODE_FAILURES = counter("cachefront_node_failures_total", &["shard", "node", "cause"], "Commands and pipelines that the node did not do");

    // Connections of callers
    CERTIFICATE_EXPIRY = gauge("cachefront_certificate_expiry_timestamp_seconds", &[], "When the certificate that is shown ends (notAfter), in seconds since 1970");
    CONNECTIONS = gauge("cachefront_connections_open", &["listener"], "Connections that are open");
    CONNECTIONS_MAX = gauge("cachefront_connections_max", &["listener"], "Connections that may be open");
    CONNECTIONS_ACCEPTED = counter("cachefront_connections_accepted_total", &["listener"], "Connections that were given a place");
    CONNECTIONS_REFUSED = counter("cachefront_connections_refused_total", &["listener"], "Connections that were closed at once, because as many as are allowed were open");
    HANDSHAKES_FAILED = counter("cachefront_handshakes_failed_total", &["listener"], "TLS handshakes that failed or took too long");

    // Settings and process
    RELOADS = counter("cachefront_settings_reloads_total", &["outcome"], "Times that the settings were read anew, and whether they took effect");
    RELOAD_SUCCESSFUL = gauge("cachefront_settings_last_reload_successful", &[], "0 if the settings that were read last were refused, else 1");
    SETTINGS_LOADED = gauge("cachefront_settings_loaded_timestamp_seconds", &[], "When the settings that count were read, in seconds since 1970");
    SPANS = counter("cachefront_spans_total", &["outcome"], "Spans of traces: sent to the collector, dropped because too many waited, or not taken by it (failed)");
    BUILD = Metric { name: "cachefront_build_info", kind: MetricKind::Info, labels: &["version"], help: "The version that runs" };
    RUNTIME_WORKERS = gauge("cachefront_runtime_workers", &[], "Threads that run tasks");
    RUNTIME_TASKS = gauge("cachefront_runtime_tasks_alive", &[], "Tasks that have not ended");
    RUNTIME_QUEUE = gauge("cachefront_runtime_global_queue_depth", &[], "Tasks that are ready and wait for a worker");
    RUNTIME_BUSY = counter("cachefront_runtime_worker_busy_seconds_total", &["worker"], "Time that a worker was at work");
    PROCESS_CPU = counter("process_cpu_seconds_total", &[], "User and kernel time of the process");
    PROCESS_MEMORY = gauge("process_resident_memory_bytes", &[], "Memory that the process has in use");
    PROCESS_FDS = gauge("process_open_fds", &[], "File descriptors that are open");
    PROCESS_FDS_MAX = gauge("process_max_fds", &[], "File descriptors that may be open");
    PROCESS_START = gauge("process_start_time_seconds", &[], "When the process began, in seconds since 1970");
}

impl Metric {
    /// The name without what its kind adds, as `OpenMetrics` calls it.
    pub fn family(&self) -> &'static str {
        let suffix = match self.kind {
            MetricKind::Counter => "_total",
            MetricKind::Info => "_info",
            MetricKind::Gauge | MetricKind::Histogram => "",
        };
        self.name.strip_suffix(suffix).unwrap_or(self.name)
    }

    /// What it is counted in, if that ends its name.
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
