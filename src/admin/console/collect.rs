//! The console's own state, the task that samples the counters, and the snapshot made of both.

use super::{
    history::{History, STEP, ratio},
    patterns::PatternCounter,
    process_view::instance_name,
    sample::{HistorySample, NodeCounts, SampleDetails},
    shard_problem::shard_problem,
    snapshot::{
        ConsoleSnapshot, ErrorCount, FailureCount, InspectionView, NearCacheView, NodeResourcesView, NodeRoleView,
        NodeStateView, NodeView, ProcessView, ShardView, rounded,
    },
};
use crate::{
    http::{AppState, ErrorCode, Readiness, SampledKeys},
    settings::KeyPatterns,
    store::{NodeResources, NodeStatus, ShardStatus, StoreStatus},
    telemetry::{
        events::now_ms,
        metrics::{Label, LinkState, NodeRole, ProcessUsage, quantile_us},
    },
};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::time::{Instant, MissedTickBehavior, interval};

/// The console of this instance.
pub struct Console {
    state: Arc<AppState>,
    instance: String,
    patterns: PatternCounter,
    history: Mutex<History>,
    start: Instant,
}

impl Console {
    /// Creates a console that reads `sampled_keys` and shows them as `key_patterns` says.
    pub fn new(state: Arc<AppState>, key_patterns: KeyPatterns, sampled_keys: SampledKeys) -> Self {
        Self {
            state,
            instance: instance_name(),
            patterns: PatternCounter::new(key_patterns, sampled_keys),
            history: Mutex::default(),
            start: Instant::now(),
        }
    }

    /// Samples the counters every few seconds, until it is dropped.
    pub async fn run(self: Arc<Self>) {
        let mut steps = interval(STEP);
        steps.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            steps.tick().await;
            let sample = self.sample(&self.state.store.status(), &ProcessUsage::without_files());
            self.history().push(sample, &self.state.metrics.events);
            self.patterns.count();
            self.patterns.fade();
        }
    }

    /// Returns the present state of the instance.
    pub fn snapshot(&self) -> ConsoleSnapshot {
        let state = &*self.state;
        let status = state.store.status();
        let usage = ProcessUsage::without_files();
        let now = self.sample(&status, &usage);
        self.patterns.count();
        let readiness = Readiness::of(state);
        let history = self.history();
        ConsoleSnapshot {
            instance: self.instance.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            at_ms: now_ms(),
            uptime_secs: self.start.elapsed().as_secs(),
            status: readiness.status,
            problems: readiness.problems,
            cluster: status.cluster,
            shards: status.shards.iter().map(|shard| shard_view(shard, &history, &now)).collect(),
            rates: history.rates(&now),
            in_progress: state.requests.in_use(),
            in_progress_max: state.reloadable().config.requests_max,
            near_cache: self.near_cache_view(&now),
            inspection: Some(self.inspection_view()),
            patterns: self.patterns.top(),
            events: state.metrics.events.list(),
            failed: state.failures.last(),
            errors: errors(&history, &now),
            process: Some(ProcessView::of(state, &usage, history.ten_secs_ago(&now), &now)),
            history: history.points(),
            hour: history.hour(),
        }
    }

    fn near_cache_view(&self, now: &HistorySample) -> Option<NearCacheView> {
        let near = self.state.near.as_ref()?;
        let (entries, bytes) = near.size();
        Some(NearCacheView {
            entries,
            bytes,
            bytes_max: near.bytes_max(),
            hits: now.near_hits,
            misses: now.near_misses,
        })
    }

    fn inspection_view(&self) -> InspectionView {
        let inspection = &self.state.metrics.inspection;
        InspectionView {
            answers: inspection.answers_inspected(),
            changes: inspection.changes.get(),
            older_than_promised: inspection.violations(),
            age_p99_us: quantile_us(&inspection.staleness_of_all(), 0.99).map(rounded),
        }
    }

    fn sample(&self, status: &StoreStatus, usage: &ProcessUsage) -> HistorySample {
        let near = self.state.near.as_ref().map_or((0, 0), |near| {
            let counts = near.counters();
            (counts.hits.get(), counts.misses.get())
        });
        let metrics = &self.state.metrics;
        let sheds = metrics.sheds.rows().map(|(_, count)| count).sum();
        let nodes = status.shards.iter().flat_map(|shard| &shard.nodes);
        let shards = status.shards.iter();
        let details = SampleDetails {
            nodes: nodes.map(|node| (node.id, NodeCounts::of(node))).collect(),
            shard_failures: shards.map(|shard| (shard.health.name.clone(), shard.failures_total())).collect(),
            errors: self.state.failures.counts(),
        };
        HistorySample::new(metrics.requests.tally(), near, sheds, details).with_cpu(usage.cpu_secs)
    }

    fn history(&self) -> MutexGuard<'_, History> {
        self.history.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns the errors that occurred, the most frequent of the last minute first.
fn errors(history: &History, now: &HistorySample) -> Vec<ErrorCount> {
    let counts = now.details.errors.iter().zip(history.errors_of_last_minute(now));
    let all = ErrorCode::ALL.iter().zip(counts).filter(|(_, (count, _))| **count > 0);
    let mut all: Vec<ErrorCount> = all
        .map(|(code, (count, last_minute))| ErrorCount {
            code: code.as_str().to_owned(),
            last_minute,
            since_start: *count,
        })
        .collect();
    all.sort_by_key(|count| std::cmp::Reverse((count.last_minute, count.since_start)));
    all
}

fn shard_view(shard: &ShardStatus, history: &History, now: &HistorySample) -> ShardView {
    let mut view = ShardView {
        name: shard.health.name.clone(),
        share: shard.share,
        weight: shard.weight,
        slots: shard.slots,
        readable: shard.health.can_read(),
        writable: shard.health.can_write(),
        contested: shard.health.split_brain,
        held: shard.health.is_held(),
        candidate: shard.health.candidate.clone(),
        absent_successor: shard.health.absent_successor.clone(),
        problem: None,
        promotions: shard.promotions,
        failures_per_sec: history.shard_failures(now, &shard.health.name),
        failures: shard
            .failures
            .iter()
            .map(|(cause, count)| FailureCount { cause: cause.name().to_owned(), since_start: *count })
            .collect(),
        nodes: shard.nodes.iter().map(|node| node_view(node, history, now)).collect(),
    };
    view.problem = shard_problem(&view);
    view
}

fn node_view(node: &NodeStatus, history: &History, now: &HistorySample) -> NodeView {
    let rate = history.node_rate(now, node.id);
    NodeView {
        address: node.address.clone(),
        role: match node.role {
            NodeRole::Master => NodeRoleView::Master,
            NodeRole::Replica => NodeRoleView::Replica,
        },
        reports_master: node.reports_master,
        state: match node.state {
            LinkState::Up => NodeStateView::Up,
            LinkState::Connecting => NodeStateView::Connecting,
            LinkState::Down => NodeStateView::Down,
        },
        readable: node.readable,
        in_flight: node.in_flight,
        lag_ms: node.lag.map(|lag| rounded(lag.as_secs_f64() * 1000.0)),
        lag_bytes: node.lag_bytes,
        connections: node.connections,
        answers_per_sec: rate.answers_per_sec,
        failures_per_sec: rate.failures_per_sec,
        p50_us: rate.p50_us,
        p99_us: rate.p99_us,
        resources: node.resources.as_ref().map(resources_view),
    }
}

fn resources_view(resources: &NodeResources) -> NodeResourcesView {
    NodeResourcesView {
        memory_bytes: resources.memory_bytes,
        memory_bytes_max: resources.memory_bytes_max,
        keys: resources.keys,
        evicted_keys: resources.evicted_keys,
        hits: ratio(resources.keyspace_hits, resources.keyspace_hits + resources.keyspace_misses),
    }
}
