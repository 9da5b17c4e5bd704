//! One shard that sentinels monitor: it combines their replies and applies the result to the shard.

use super::quorum::{Consensus, SentinelQuorum};
use crate::{settings, store::shard::Shard, telemetry::events::EventKind, types::Address};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::time::Instant;

/// A shard with the sentinels' views on it.
pub struct MonitoredShard {
    /// The shard.
    pub shard: Arc<Shard>,
    /// The name of the shard's master in the configuration of the sentinels.
    pub master_name: String,
    state: Mutex<MonitorState>,
}

/// The state of the monitoring of one shard.
struct MonitorState {
    /// The views of all sentinels.
    quorum: SentinelQuorum,
    /// The problem with the sentinels' replies, as a sentence.
    problem: Option<String>,
    /// The nodes that the shard was last given.
    applied: Vec<Address>,
}

impl MonitorState {
    fn new(sentinels: usize) -> Self {
        Self { quorum: SentinelQuorum::new(sentinels), problem: None, applied: Vec::new() }
    }
}

impl MonitoredShard {
    /// Starts the monitoring of a shard by this number of sentinels.
    pub fn new(shard: Shard, master_name: &str, sentinels: usize) -> Self {
        let state = Mutex::new(MonitorState::new(sentinels));
        Self { shard: Arc::new(shard), master_name: master_name.to_owned(), state }
    }

    /// Returns the problem with the sentinels' replies, as a sentence.
    pub fn problem(&self) -> Option<String> {
        let problem = self.state().problem.clone()?;
        Some(format!("shard \"{}\": {problem}", self.shard.name()))
    }

    /// Changes the view of one sentinel and applies the new consensus to the shard.
    pub fn update(&self, redis: &settings::RedisConfig, change: impl FnOnce(&mut SentinelQuorum)) {
        let mut state = self.state();
        change(&mut state.quorum);
        self.record_problem(&mut state);
        let members = self.shard.members();
        let consensus =
            state.quorum.consensus(Instant::now(), |address| members.find(address).is_some_and(|node| node.is_up()));
        let Some(Consensus { master, nodes }) = consensus else { return };
        if let Some(nodes) = nodes.filter(|nodes| !has_same_nodes(nodes, &state.applied)) {
            self.apply_nodes(&mut state, nodes, redis);
        }
        match master {
            Some(master) => self.shard.set_announced_master(&master),
            None => self.shard.clear_announced_master(),
        }
    }

    /// Gives the shard the nodes that the sentinels name.
    fn apply_nodes(&self, state: &mut MonitorState, nodes: Vec<Address>, redis: &settings::RedisConfig) {
        let name = self.shard.name();
        let list = nodes.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        tracing::info!(shard = &*name, nodes = list, "the sentinels name the nodes of shard \"{name}\": {list}");
        self.shard.events().record(EventKind::Topology, format!("shard {name}: the sentinels name {list}"));
        self.shard.set_nodes(&nodes, redis);
        state.applied = nodes;
    }

    /// Records the problem with the sentinels' replies; logs each problem once.
    fn record_problem(&self, state: &mut MonitorState) {
        let error = state.quorum.reply_error();
        let problem = if state.quorum.name_is_unknown() {
            Some(format!("the sentinels know no master \"{}\"", self.master_name))
        } else {
            error.map(|_| "the sentinels do not tell its nodes".to_owned())
        };
        if problem != state.problem {
            if let Some(problem) = &problem {
                let name = self.shard.name();
                tracing::error!(shard = &*name, error, "shard \"{name}\": {problem}");
            }
            state.problem = problem;
        }
    }

    fn state(&self) -> MutexGuard<'_, MonitorState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns true if both lists have the same nodes in any order. The election decides which of them is the master.
fn has_same_nodes(nodes: &[Address], others: &[Address]) -> bool {
    nodes.len() == others.len() && nodes.iter().all(|node| others.contains(node))
}
