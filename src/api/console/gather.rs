//! Where the facts come from, and the task that looks at the counters now and then.

use super::{
    facts::{ConsoleSnapshot, NearCacheView, NodeRoleView, NodeStateView, NodeView, ShardView, rounded},
    history::{History, HistorySample, NodeCounts, STEP},
    patterns::Sampler,
};
use crate::{
    api::{app::App, probes},
    settings::KeyPatterns,
    store::{NodeStatus, ShardStatus, StoreStatus},
    telemetry::{
        events::now_ms,
        metrics::{LinkState, NodeRole},
    },
};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::Ordering::Relaxed};
use tokio::time::{Instant, MissedTickBehavior, interval};

/// What the console keeps for itself.
pub struct Console {
    pub sampler: Sampler,
    history: Mutex<History>,
    start: Instant,
}

impl Console {
    pub fn new(key_patterns: KeyPatterns) -> Self {
        Self { sampler: Sampler::new(key_patterns), history: Mutex::default(), start: Instant::now() }
    }

    fn history(&self) -> MutexGuard<'_, History> {
        self.history.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Looks at the counters again and again, for ever.
pub async fn watch(app: Arc<App>) {
    let mut steps = interval(STEP);
    steps.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        steps.tick().await;
        let sample = sample(&app, &app.store.status());
        app.console.history().push(sample, &app.metrics.events);
        app.console.sampler.count();
        app.console.sampler.fade();
    }
}

fn sample(app: &App, survey: &StoreStatus) -> HistorySample {
    let near = app.near.as_ref().map_or((0, 0), |near| {
        let counts = near.counters();
        (counts.hits.load(Relaxed), counts.misses.load(Relaxed))
    });
    let sheds = app.metrics.sheds.rows().map(|(_, count)| count).sum();
    let nodes = survey.shards.iter().flat_map(|shard| &shard.nodes);
    let nodes = nodes.map(|node| (node.id, NodeCounts::of(node))).collect();
    HistorySample::new(app.metrics.requests.tally(), near, sheds, nodes)
}

/// How everything is now.
pub fn facts(app: &App) -> ConsoleSnapshot {
    let survey = app.store.status();
    let now = sample(app, &survey);
    app.console.sampler.count();
    let readiness = probes::readiness(app);
    let history = app.console.history();
    ConsoleSnapshot {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        at_ms: now_ms(),
        uptime_secs: app.console.start.elapsed().as_secs(),
        status: readiness.status,
        problems: readiness.problems,
        cluster: survey.cluster,
        shards: survey.shards.iter().map(|shard| shard_facts(shard, &history, &now)).collect(),
        rates: history.rates(&now),
        in_progress: app.requests.in_use(),
        in_progress_max: app.reloadable().requests_max,
        near_cache: app.near.as_ref().map(|near| {
            let (entries, bytes) = near.size();
            NearCacheView { entries, bytes, bytes_max: near.bytes_max(), hits: now.near_hits, misses: now.near_misses }
        }),
        patterns: app.console.sampler.facts(),
        events: app.metrics.events.list(),
        history: history.points(),
    }
}

fn shard_facts(shard: &ShardStatus, history: &History, now: &HistorySample) -> ShardView {
    ShardView {
        name: shard.health.name.clone(),
        share: shard.share,
        weight: shard.weight,
        slots: shard.slots,
        readable: shard.health.can_read(),
        writable: shard.health.master_up,
        contested: shard.health.split_brain,
        promotions: shard.promotions,
        nodes: shard.nodes.iter().map(|node| node_facts(node, history, now)).collect(),
    }
}

fn node_facts(node: &NodeStatus, history: &History, now: &HistorySample) -> NodeView {
    let rate = history.node_rate(now, node.id);
    NodeView {
        address: node.address.clone(),
        role: match node.role {
            NodeRole::Master => NodeRoleView::Master,
            NodeRole::Replica => NodeRoleView::Replica,
        },
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
    }
}
