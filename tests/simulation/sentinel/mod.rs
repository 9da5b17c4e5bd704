//! A sentinel: it watches the nodes of one shard, and makes a replica the master when enough sentinels miss the master.
//!
//! The steps and their events are those of Redis 7.0. The times are shorter than its defaults, so that a scenario of some
//! seconds has several failovers.

mod failover;
mod replies;

use crate::{
    network::Host,
    world::{Ms, World},
};
use std::collections::{BTreeMap, BTreeSet};

/// The name of the shard's master in the configuration of the sentinels.
pub const MASTER_NAME: &str = "main";
/// The interval at which a sentinel looks at the nodes.
const TICK: Ms = 50;
/// The sentinels that have to agree that the master is down, and to elect a leader.
const QUORUM: usize = 2;
/// The shortest time between two failovers that one sentinel votes for.
const FAILOVER_TIMEOUT: Ms = 3000;
/// The time for which a node has another role than the sentinel wants before the sentinel corrects it.
const FIX_AFTER: Ms = 1000;
/// The interval at which sentinels tell each other their configuration.
const HELLO_INTERVAL: Ms = 500;

/// The state of a sentinel.
#[derive(Default)]
pub struct Sentinel {
    /// The master, and the epoch of the failover that made it one.
    config: (usize, u64),
    /// The replica that takes over, and the epoch of its failover. It is reported as the master, though the sentinel
    /// still counts it as a replica.
    promoted: Option<usize>,
    /// The last epoch in which the sentinel voted.
    voted: u64,
    /// The failover that the sentinel leads.
    failover: Option<Failover>,
    /// The time before which the sentinel begins no failover.
    not_before: Ms,
    /// The time of the last answer of each node.
    seen: BTreeMap<usize, Ms>,
    /// The nodes that the sentinel counts as down, and the times since which it does.
    down: BTreeMap<usize, Ms>,
    /// Enough sentinels count the master as down.
    is_objectively_down: bool,
    /// The times since which nodes have another role or another master than the sentinel wants.
    wrong: BTreeMap<usize, Ms>,
    /// The connections that receive events.
    subscribers: BTreeSet<usize>,
    last_hello: Ms,
}

/// A failover.
#[derive(Clone, Copy)]
struct Failover {
    epoch: u64,
    replica: usize,
    /// The time at which the sentinel gives up.
    until: Ms,
}

/// The settings of all sentinels.
#[derive(Clone, Copy, Default)]
pub struct SentinelRules {
    /// The time without an answer after which a node counts as down.
    pub down_after: Ms,
    /// No failover begins any more.
    pub is_over: bool,
}

impl Sentinel {
    pub fn new(master: usize) -> Self {
        Self { config: (master, 0), ..Self::default() }
    }

    /// Returns the node that is reported as the master.
    fn reported_master(&self) -> usize {
        self.promoted.unwrap_or(self.config.0)
    }
}

impl World {
    /// Returns all sentinels.
    pub fn sentinels(&self) -> Vec<usize> {
        (0..self.nodes.len()).filter(|node| self.nodes[*node].sentinel.is_some()).collect()
    }

    /// Returns true if a sentinel reports a node as the master.
    pub fn is_named_master(&self, node: usize) -> bool {
        self.nodes.iter().filter_map(|node| node.sentinel.as_ref()).any(|it| it.reported_master() == node)
    }

    fn sentinel(&mut self, number: usize) -> &mut Sentinel {
        self.nodes[number].sentinel.as_mut().expect("a sentinel")
    }

    /// Returns the nodes that sentinels watch.
    fn watched(&self) -> Vec<usize> {
        (0..self.nodes.len()).filter(|node| self.nodes[*node].shard == 0).collect()
    }

    /// Returns true if a sentinel gets answers from a node or from another sentinel.
    fn gets_answers(&self, sentinel: usize, node: usize) -> bool {
        let other = &self.nodes[node];
        other.is_alive && !other.is_stopped && self.network.is_open(Host::Node(sentinel), Host::Node(node))
    }

    /// Returns the other sentinels that a sentinel reaches.
    fn peers(&self, sentinel: usize) -> Vec<usize> {
        let others = self.sentinels().into_iter().filter(|other| *other != sentinel);
        others.filter(|other| self.gets_answers(sentinel, *other)).collect()
    }

    /// Starts the regular work of a sentinel.
    pub fn start_sentinel(&mut self, number: usize) {
        self.after(TICK, move |world| {
            if world.nodes[number].is_serving() {
                world.watch(number);
                world.correct_roles(number);
                world.lead(number);
                world.say_hello(number);
            } else {
                // A sentinel that was away trusts none of its times.
                let now = world.now;
                let sentinel = world.sentinel(number);
                sentinel.seen.values_mut().for_each(|seen| *seen = now);
                sentinel.wrong.clear();
            }
            world.start_sentinel(number);
        });
    }

    /// Finds the nodes that are down, and begins a failover if the master is one of them.
    fn watch(&mut self, number: usize) {
        let now = self.now;
        for node in self.watched() {
            let answers = self.gets_answers(number, node);
            let down_after = self.sentinel_rules.down_after;
            let sentinel = self.sentinel(number);
            let seen = sentinel.seen.entry(node).or_insert(now);
            if answers {
                *seen = now;
            }
            let is_down = now - *seen >= down_after;
            if is_down && !sentinel.down.contains_key(&node) {
                sentinel.down.insert(node, now);
                self.publish_about("+sdown", number, node);
            } else if !is_down && sentinel.down.remove(&node).is_some() {
                self.publish_about("-sdown", number, node);
            }
        }
        let master = self.sentinel(number).config.0;
        let peers = self.peers(number);
        let missing =
            |world: &mut Self, sentinel: usize| usize::from(world.sentinel(sentinel).down.contains_key(&master));
        let count: usize =
            missing(self, number) * (1 + peers.into_iter().map(|peer| missing(self, peer)).sum::<usize>());
        let was_down = std::mem::replace(&mut self.sentinel(number).is_objectively_down, count >= QUORUM);
        if count >= QUORUM && !was_down {
            let wait = self.nodes[number].rng.range((0, 300));
            let sentinel = self.sentinel(number);
            sentinel.not_before = sentinel.not_before.max(now + wait);
            self.publish_about("+odown", number, master);
        } else if was_down && count < QUORUM {
            self.publish_about("-odown", number, master);
        }
        if count >= QUORUM && self.sentinel(number).not_before <= now {
            self.begin_failover(number, false);
        }
    }

    /// Corrects nodes that have another role or another master than a sentinel wants.
    fn correct_roles(&mut self, number: usize) {
        let now = self.now;
        let master = self.sentinel(number).config.0;
        let is_sane = self.gets_answers(number, master) && self.nodes[master].is_master();
        for node in self.watched().into_iter().filter(|node| *node != master) {
            let is_wrong = self.nodes[node].link.is_none_or(|link| link.master != master);
            let sentinel = self.sentinel(number);
            if !is_sane || !is_wrong || sentinel.failover.is_some() {
                sentinel.wrong.remove(&node);
                continue;
            }
            let since = *sentinel.wrong.entry(node).or_insert(now);
            if now - since >= FIX_AFTER && self.gets_answers(number, node) {
                self.sentinel(number).wrong.remove(&node);
                let event = if self.nodes[node].is_master() { "+convert-to-slave" } else { "+fix-slave-config" };
                self.publish_about(event, number, node);
                self.replicate_from(node, master);
                if self.master(0) == node {
                    // The sentinel that promoted the node was lost before the others knew of it.
                    self.end_branch(master);
                    self.begin_branch(master);
                    self.accept(master);
                }
            }
        }
    }

    /// Starts a sentinel again. Its configuration is in a file.
    pub fn restart_sentinel(&mut self, number: usize) {
        self.note(&format!("sentinel {number} starts"));
        let sentinel = self.sentinel(number);
        let (config, voted) = ((sentinel.reported_master(), sentinel.config.1), sentinel.voted);
        *sentinel = Sentinel { config, voted, ..Sentinel::default() };
        self.nodes[number].is_alive = true;
    }

    /// Makes all sentinels name a master, and begin no failover any more.
    pub fn end_failovers(&mut self, master: usize) {
        self.sentinel_rules.is_over = true;
        let sentinels = self.sentinels();
        let epoch = sentinels.iter().map(|number| self.sentinel(*number).config.1).max().unwrap_or(0) + 1;
        for number in sentinels {
            self.switch_config(number, (master, epoch));
        }
    }
}
