//! A Redis Cluster: each node has its own view of the masters and of the slots, and hears of changes later.

mod failover;
mod migration;
mod replies;

pub use migration::Migration;

use crate::{
    redis::{Outcome, resp},
    world::{Ms, World},
};
use cachefront::types::Address;
use std::collections::{BTreeMap, BTreeSet};

/// The number of hash slots.
const SLOTS: usize = 16_384;
const CRC16: crc::Crc<u16> = crc::Crc::<u16>::new(&crc::CRC_16_XMODEM);

/// The masters and the slots as a node knows them.
#[derive(Clone, Default)]
pub struct View {
    /// The master of each shard, and the epoch of its claim.
    pub masters: Vec<(usize, u64)>,
    /// The slots that are not where they were at the beginning: the shard of each one, and the epoch of the move.
    moved: BTreeMap<usize, (usize, u64)>,
}

impl View {
    /// Creates the first view.
    pub fn new(masters: Vec<usize>) -> Self {
        Self { masters: masters.into_iter().map(|master| (master, 1)).collect(), moved: BTreeMap::new() }
    }

    /// Returns the shard of a slot.
    fn owner(&self, slot: usize) -> usize {
        self.moved.get(&slot).map_or_else(|| first_owner(slot, self.masters.len()), |(shard, _)| *shard)
    }
}

/// The state of a node of a cluster.
#[derive(Clone, Default)]
pub struct ClusterNode {
    pub view: View,
    /// The slots that the node gives away, with the shards that get them.
    migrating: BTreeMap<usize, usize>,
    /// The slots that the node gets.
    importing: BTreeSet<usize>,
    /// The node refuses commands on this slot for a moment.
    tries_again: Option<usize>,
    /// The times since which the masters of shards do not answer.
    silent_since: BTreeMap<usize, Ms>,
    /// The shards whose masters most masters count as failed.
    failed: BTreeSet<usize>,
    /// The cluster is down: the node refuses all keys.
    is_down: bool,
    /// The time at which the node last reached only a minority.
    in_minority_at: Option<Ms>,
    /// The time at which the node asks for votes.
    election_at: Option<Ms>,
    /// The times at which the node, as a master, last voted for a replica of each shard.
    voted_at: BTreeMap<usize, Ms>,
}

/// The settings of all nodes of a cluster.
#[derive(Clone, Copy, Default)]
pub struct ClusterRules {
    /// The time without an answer after which a node counts as failed.
    pub node_timeout: Ms,
    /// Nodes answer reads while the cluster is down.
    pub reads_when_down: bool,
    /// No failover begins any more.
    pub is_over: bool,
}

impl ClusterNode {
    pub fn new(view: View) -> Self {
        Self { view, ..Self::default() }
    }
}

/// Returns the shard that a slot has at the beginning.
fn first_owner(slot: usize, shards: usize) -> usize {
    (0..shards).find(|shard| (shard + 1) * SLOTS / shards > slot).expect("all slots have a shard")
}

/// Returns the slot of a key.
pub fn slot_of(key: &str) -> usize {
    usize::from(CRC16.checksum(key.as_bytes())) % SLOTS
}

/// Returns the shard that a key has at the beginning.
pub fn shard_of(key: &str, shards: usize) -> usize {
    first_owner(slot_of(key), shards)
}

impl World {
    /// Returns the state of a node of a cluster.
    fn in_cluster(&mut self, node: usize) -> &mut ClusterNode {
        self.nodes[node].cluster.as_mut().expect("a node of a cluster")
    }

    /// Returns the refusal of a command on a key that the node does not serve for this client.
    pub fn redirection(&mut self, connection: usize, name: &str, key: &str) -> Option<Outcome> {
        let node = self.network.connections[connection].node;
        let state = self.nodes[node].cluster.as_ref()?;
        let session = self.network.connections[connection].session.as_mut().expect("an open session");
        let (slot, is_read) = (slot_of(key), name == "GET" || name == "PTTL");
        let is_asking = std::mem::take(&mut session.is_asking);
        let may_read = session.is_readonly && is_read;
        let refuse = |text: &str| Some(Outcome::Answer(resp::error(text)));
        let redirect = |kind: &str, shard: usize| {
            let Address { host, port } = &self.nodes[state.view.masters[shard].0].address;
            refuse(&format!("{kind} {slot} {host}:{port}"))
        };
        if state.is_down && !(is_read && self.cluster_rules.reads_when_down) {
            return refuse("CLUSTERDOWN The cluster is down");
        }
        let owner = state.view.owner(slot);
        let is_master = self.nodes[node].is_master();
        if is_master && state.importing.contains(&slot) && is_asking {
            return None;
        }
        if owner != self.nodes[node].shard || !(is_master || may_read) {
            return redirect("MOVED", owner);
        }
        if is_master && state.tries_again == Some(slot) {
            return refuse("TRYAGAIN Multiple keys request during rehashing of slot");
        }
        let target = state.migrating.get(&slot).filter(|_| is_master);
        let is_missing = self.nodes[node].data.value(key, self.now).is_none();
        target.filter(|_| is_missing).and_then(|target| redirect("ASK", *target))
    }
}
