//! Sentinels: they say which nodes each shard has, and decide which one is its master.
//!
//! All of them are heard at the same time. What they say together is a [`council::Council`]'s business; it is
//! brought to the shard whenever one of them has spoken or fallen silent.

mod answers;
mod attend;
mod council;

use crate::{
    ring::Ring,
    settings,
    store::{
        node::{
            NodeContext,
            connect::{ConnectOptions, RedisCertificateError, RedisEndpoint},
        },
        shard::Shard,
        shard_map::{MapHandle, Routing, ShardMap},
    },
    telemetry::events::EventKind,
    types::{Address, error_chain},
};
use answers::MasterReply;
use council::{Consensus, SentinelQuorum};
use futures_util::future::join_all;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::time::Instant;

/// The sentinels, and the shards that they watch.
pub struct Sentinels {
    all: Vec<Sentinel>,
    watched: Vec<MonitoredShard>,
    redis: Arc<settings::RedisConfig>,
    contact: Mutex<Contact>,
}

struct Sentinel {
    address: Address,
    target: RedisEndpoint,
}

/// A shard, and what is said of it.
struct MonitoredShard {
    shard: Arc<Shard>,
    /// What the sentinels call its master.
    master_name: String,
    hearing: Mutex<Hearing>,
}

struct Hearing {
    council: SentinelQuorum,
    /// What is wrong with what the sentinels say.
    problem: Option<String>,
    /// The nodes that the shard was last given.
    given: Vec<Address>,
}

/// Which sentinels answer.
struct Contact {
    answers: Vec<bool>,
    /// Each has been tried at least once.
    tried: Vec<bool>,
    ever: bool,
    complained: bool,
}

impl Sentinels {
    /// Publishes a map with the monitored shards, which have no nodes until a sentinel names them. The error says what
    /// is wrong with the certificates.
    pub fn new(
        settings: &settings::SentinelsConfig,
        redis: &Arc<settings::RedisConfig>,
        node_context: &NodeContext,
        map: &MapHandle,
    ) -> Result<Self, RedisCertificateError> {
        let monitored = settings.shards.iter();
        let shards: Vec<Arc<Shard>> = monitored
            .map(|shard| Arc::new(Shard::new(&shard.name, redis, node_context, map.layout_changed())))
            .collect();
        let ring = Ring::new(settings.shards.iter().map(|shard| (shard.name.as_str(), shard.weight)));
        let login = ConnectOptions::for_sentinels(settings);
        let sentinel = |address: &Address| {
            let target = RedisEndpoint::new(address, &login, redis.connect_timeout)?;
            Ok(Sentinel { address: address.clone(), target })
        };
        let all = settings.addresses.iter().map(sentinel).collect::<Result<Vec<_>, RedisCertificateError>>()?;
        let count = all.len();
        let watched = |(shard, watched): (&Arc<Shard>, &settings::SentinelShardConfig)| MonitoredShard {
            shard: Arc::clone(shard),
            master_name: watched.master_name.clone(),
            hearing: Mutex::new(Hearing { council: SentinelQuorum::new(count), problem: None, given: Vec::new() }),
        };
        let watched = shards.iter().zip(&settings.shards).map(watched).collect();
        let contact =
            Contact { answers: vec![false; count], tried: vec![false; count], ever: false, complained: false };
        map.publish(ShardMap::new(Routing::Ring(ring), shards));
        Ok(Self { all, watched, redis: Arc::clone(redis), contact: Mutex::new(contact) })
    }

    /// Hears all sentinels and tells the shards, for ever.
    pub async fn run(&self) {
        join_all((0..self.all.len()).map(|number| self.poll(number))).await;
    }

    /// What is wrong with the sentinels, or with what they say.
    pub fn problems(&self) -> Vec<String> {
        let contact = self.contact();
        let silence = match (contact.any_answers(), contact.ever) {
            (true, _) => None,
            (false, true) => Some("no sentinel answers; the nodes that they named last are used".to_owned()),
            (false, false) => Some("no sentinel has answered yet".to_owned()),
        };
        drop(contact);
        let of_shard = |watched: &MonitoredShard| {
            let problem = watched.hearing().problem.clone()?;
            Some(format!("shard \"{}\": {problem}", watched.shard.name()))
        };
        silence.into_iter().chain(self.watched.iter().filter_map(of_shard)).collect()
    }

    /// `replies` are about the masters in the order of the shards.
    fn record_replies(&self, sentinel: usize, replies: Vec<MasterReply>) {
        self.record_contact(sentinel, true);
        for (watched, reply) in self.watched.iter().zip(replies) {
            watched.on_report(&self.redis, |council| council.record(sentinel, reply));
        }
    }

    fn record_silence(&self, sentinel: usize) {
        self.record_contact(sentinel, false);
        for watched in &self.watched {
            watched.on_report(&self.redis, |council| council.record_silence(sentinel));
        }
    }

    /// Says once that none answers.
    fn record_contact(&self, sentinel: usize, answers: bool) {
        let mut contact = self.contact();
        contact.answers[sentinel] = answers;
        contact.tried[sentinel] = true;
        contact.ever |= answers;
        if contact.any_answers() {
            if contact.complained
                && let Some(watched) = self.watched.first()
            {
                watched.shard.events().record(EventKind::Topology, "sentinels answer again");
            }
            contact.complained = false;
        } else if contact.tried.iter().all(|tried| *tried) && !contact.complained {
            contact.complained = true;
            let silence = "no sentinel answers; going on with the nodes that are known";
            tracing::error!("{silence}");
            if let Some(watched) = self.watched.first() {
                watched.shard.events().record(EventKind::Topology, silence);
            }
        }
    }

    fn contact(&self) -> MutexGuard<'_, Contact> {
        self.contact.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Contact {
    fn any_answers(&self) -> bool {
        self.answers.contains(&true)
    }
}

impl MonitoredShard {
    /// Takes note of something and brings what follows from it to the shard.
    fn on_report(&self, redis: &settings::RedisConfig, note: impl FnOnce(&mut SentinelQuorum)) {
        let mut hearing = self.hearing();
        note(&mut hearing.council);
        self.record_problem(&mut hearing);
        let members = self.shard.members();
        let is_up = |address: &Address| members.find(address).is_some_and(|node| node.is_up());
        let Some(Consensus { master, nodes }) = hearing.council.consensus(Instant::now(), is_up) else { return };
        if let Some(nodes) = nodes.filter(|nodes| !is_same(nodes, &hearing.given)) {
            let list: Vec<String> = nodes.iter().map(ToString::to_string).collect();
            tracing::info!(
                shard = &*self.shard.name(),
                nodes = list.join(", "),
                "the sentinels tell which nodes there are"
            );
            let text = format!("shard {}: the sentinels name {}", self.shard.name(), list.join(", "));
            self.shard.events().record(EventKind::Topology, text);
            match self.shard.set_nodes(&nodes, redis) {
                Ok(()) => hearing.given = nodes,
                // The certificates were sound when the first node was made, and are the same.
                Err(error) => tracing::error!(
                    shard = &*self.shard.name(),
                    error = error_chain(&error),
                    "the nodes cannot be used"
                ),
            }
        }
        match master {
            Some(master) => self.shard.set_announced_master(&master),
            None => self.shard.clear_announced_master(),
        }
    }

    /// Says once what is wrong.
    fn record_problem(&self, hearing: &mut Hearing) {
        let cause = hearing.council.refusal();
        let problem = if hearing.council.name_is_unknown() {
            Some(format!("the sentinels know no master \"{}\"", self.master_name))
        } else {
            cause.map(|_| "the sentinels do not tell its nodes".to_owned())
        };
        if problem != hearing.problem {
            if let Some(problem) = &problem {
                tracing::error!(shard = &*self.shard.name(), cause, "{problem}");
            }
            hearing.problem = problem;
        }
    }

    fn hearing(&self) -> MutexGuard<'_, Hearing> {
        self.hearing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// True if these are the same nodes; which one is the master is the election's business.
fn is_same(nodes: &[Address], others: &[Address]) -> bool {
    nodes.len() == others.len() && nodes.iter().all(|node| others.contains(node))
}
