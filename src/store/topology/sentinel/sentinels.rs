//! All sentinels together: their replies, and whether they answer at all.

use super::{monitor::MonitoredShard, replies::MasterReply};
use crate::{
    ring::Ring,
    settings,
    store::{
        node::{NodeContext, connect::RedisEndpoint, login::SharedLogin},
        shard::Shard,
        shard_map::{MapHandle, Routing, ShardMap},
    },
    telemetry::events::EventKind,
    types::Address,
};
use futures_util::future::join_all;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The sentinels and the shards that they monitor.
pub struct Sentinels {
    /// The sentinels, in the order of the settings.
    pub(super) processes: Vec<Sentinel>,
    /// The login of connections to sentinels.
    pub login: SharedLogin,
    /// The shards that they monitor.
    pub(super) shards: Vec<MonitoredShard>,
    /// The settings of connections to nodes.
    pub(super) redis: Arc<settings::RedisConfig>,
    /// The state that all nodes share.
    pub(super) node_context: NodeContext,
    reachability: Mutex<Reachability>,
}

/// One sentinel.
pub struct Sentinel {
    /// The address of the sentinel.
    pub(super) address: Address,
    /// The endpoint at which connections to it are opened.
    pub(super) endpoint: RedisEndpoint,
}

/// The sentinels that answer.
struct Reachability {
    /// True for each sentinel that answers.
    answering: Vec<bool>,
    /// True for each sentinel to which a connection was tried at least once.
    tried: Vec<bool>,
    /// True once any sentinel has answered.
    ever_answered: bool,
    /// True while the log has said that no sentinel answers.
    outage_logged: bool,
}

impl Sentinels {
    /// Publishes a map with the monitored shards, which have no nodes until a sentinel names them.
    pub fn new(
        settings: &settings::SentinelsConfig,
        login: SharedLogin,
        redis: &Arc<settings::RedisConfig>,
        node_context: &NodeContext,
        map: &MapHandle,
    ) -> Self {
        let mut sentinels = Vec::with_capacity(settings.addresses.len());
        for address in &settings.addresses {
            let endpoint = RedisEndpoint::new(address, &login, redis.connect_timeout, node_context);
            sentinels.push(Sentinel { address: address.clone(), endpoint });
        }
        let count = sentinels.len();
        let shards: Vec<MonitoredShard> = settings
            .shards
            .iter()
            .map(|config| {
                let shard = Shard::new(&config.name, redis, node_context, map.node_set_changed());
                MonitoredShard::new(shard, &config.master_name, count)
            })
            .collect();
        let ring = Ring::new(settings.shards.iter().map(|shard| (shard.name.as_str(), shard.weight)));
        let published = shards.iter().map(|monitored| Arc::clone(&monitored.shard)).collect();
        map.publish(ShardMap::new(Routing::Ring(ring), published));
        let reachability = Mutex::new(Reachability::new(count));
        Self {
            processes: sentinels,
            login,
            shards,
            redis: Arc::clone(redis),
            node_context: node_context.clone(),
            reachability,
        }
    }

    /// Polls all sentinels and applies their consensus to the shards. Never returns.
    pub async fn run(&self) {
        join_all((0..self.processes.len()).map(|number| self.poll(number))).await;
    }

    /// Returns the problems with the sentinels or with their replies, one sentence each.
    pub fn problems(&self) -> Vec<String> {
        let outage = self.reachability().problem();
        let of_shards = self.shards.iter().filter_map(MonitoredShard::problem);
        outage.map(str::to_owned).into_iter().chain(of_shards).collect()
    }

    /// Records the replies of a sentinel, one for each shard.
    pub(super) fn record_replies(&self, sentinel: usize, replies: Vec<MasterReply>) {
        self.record_reachability(sentinel, true);
        for (monitored, reply) in self.shards.iter().zip(replies) {
            monitored.update(&self.redis, |quorum| quorum.record(sentinel, reply));
        }
    }

    /// Records that a sentinel does not answer.
    pub(super) fn record_unreachable(&self, sentinel: usize) {
        self.record_reachability(sentinel, false);
        for monitored in &self.shards {
            monitored.update(&self.redis, |quorum| quorum.record_unreachable(sentinel));
        }
    }

    /// Records whether a sentinel answers; logs once when none of them does.
    fn record_reachability(&self, sentinel: usize, answers: bool) {
        let mut reachability = self.reachability();
        reachability.answering[sentinel] = answers;
        reachability.tried[sentinel] = true;
        reachability.ever_answered |= answers;
        if reachability.any_answers() {
            if reachability.outage_logged {
                tracing::info!("the sentinels answer again");
                self.record_event("the sentinels answer again");
            }
            reachability.outage_logged = false;
        } else if reachability.tried.iter().all(|tried| *tried) && !reachability.outage_logged {
            reachability.outage_logged = true;
            let outage = "no sentinel answers; the last known nodes stay in use";
            tracing::error!(sentinels = self.processes.len(), "{outage}");
            self.record_event(outage);
        }
    }

    /// Adds an event that concerns all shards.
    fn record_event(&self, text: &str) {
        // All shards share the events of the service.
        if let Some(monitored) = self.shards.first() {
            monitored.shard.events().record(EventKind::Topology, text);
        }
    }

    fn reachability(&self) -> MutexGuard<'_, Reachability> {
        self.reachability.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reachability {
    fn new(sentinels: usize) -> Self {
        let none = vec![false; sentinels];
        Self { answering: none.clone(), tried: none, ever_answered: false, outage_logged: false }
    }

    fn any_answers(&self) -> bool {
        self.answering.contains(&true)
    }

    /// Returns a sentence if no sentinel answers.
    fn problem(&self) -> Option<&'static str> {
        match (self.any_answers(), self.ever_answered) {
            (true, _) => None,
            (false, true) => Some("no sentinel answers; the nodes that they named last are used"),
            (false, false) => Some("no sentinel has answered yet"),
        }
    }
}
