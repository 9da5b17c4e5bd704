//! The truth about each shard: which node is its master, and what each master has written.
//!
//! Redis replicates asynchronously, so a promotion may lose acknowledged changes. A *branch* is what one node has
//! written from one beginning of its role as master to the end of it, on top of the history that it had. A branch is
//! *accepted* if it is the shard's master by the will of an operator, or because nothing better is left.

use crate::{
    cluster::shard_of,
    redis::{Applied, Data},
    world::{Ms, World},
};
use cachefront::ring::{Ring, key_hash};
use std::collections::{BTreeMap, BTreeSet};

/// The longest time that a fetch for the near cache takes. Reads that ask meanwhile share its answer.
pub const FETCH_MAX: Ms = 1000;
/// The time within which an instance learns that a slot moves, or has moved.
pub const NEWS_OF_MOVE: Ms = 1500;
/// The time for which a master without the data of its replicas is held back.
pub const HOLD: Ms = 10_000;

/// The author of changes that move a key from one shard of a cluster to another.
pub const MIGRATION: usize = usize::MAX - 1;

/// A key that came to a branch from another shard of a cluster, with everything that happened to it there.
#[derive(Clone)]
pub struct Adopted {
    pub key: String,
    pub past: Vec<Applied>,
    /// The changes of the key from this offset on are those of the branch itself.
    pub since: u64,
    /// The time and the offset of the change that brought the key; `None` if it did not exist.
    arrival: Option<(Ms, u64)>,
}

/// The changes that one node made while it was a master.
pub struct Branch {
    pub shard: usize,
    pub node: usize,
    pub ended: Option<Ms>,
    /// The time from which on the node is the master of its shard.
    pub accepted: Option<Ms>,
    /// The time at which another branch was accepted.
    pub superseded: Option<Ms>,
    /// The replication id that the node gave its history.
    replid: u64,
    /// Everything that led to the data of the node.
    pub history: Vec<Applied>,
    pub adopted: Vec<Adopted>,
}

impl Branch {
    /// Returns everything that happened to a key, wherever it was.
    pub fn changes_of(&self, key: &str) -> Vec<Applied> {
        let adopted = self.adopted.iter().rfind(|adopted| adopted.key == key);
        let mut changes = adopted.map(|adopted| adopted.past.clone()).unwrap_or_default();
        let since = adopted.map_or(0, |adopted| adopted.since);
        let own = self.history.iter().filter(|applied| applied.end >= since);
        changes.extend(own.filter(|applied| applied.change.as_ref().is_some_and(|it| *it.key == *key)).cloned());
        changes
    }
}

/// The rule that leads from a key to its shard.
pub enum Layout {
    /// The ring over the first shards.
    Ring(Ring),
    /// The slots of a Redis Cluster with so many shards.
    Slots(usize),
}

impl Layout {
    fn owner(&self, key: &str) -> usize {
        match self {
            Self::Ring(ring) => ring.owner(key_hash(key.as_bytes())),
            Self::Slots(shards) => shard_of(key, *shards),
        }
    }
}

/// The truth about all shards.
#[derive(Default)]
pub struct Truth {
    pub branches: Vec<Branch>,
    /// The accepted branch of each shard.
    pub current: Vec<usize>,
    /// The shortest and the longest lag of replicas.
    pub replication_lag: (Ms, Ms),
    /// The times at which a node of a shard changed its role, started or ended.
    pub disturbances: Vec<(Ms, usize)>,
    /// Instances have near caches.
    pub has_near_cache: bool,
    /// The greatest age of a value that is read; `None` where something goes wrong.
    pub staleness_max: Option<Ms>,
    /// The layouts that reloads change between.
    pub layouts: Vec<Layout>,
    /// The layout that each instance has from a time on: the time, the instance, and the position of the layout.
    pub reloads: Vec<(Ms, usize, usize)>,
    /// All keys.
    pub keys: Vec<String>,
    /// The keys that moved from shard to shard of a cluster: the time of each move, and the shard that has the key since.
    moves: BTreeMap<String, Vec<(Ms, usize)>>,
    /// The shards that keys came from, and the times during which an instance may still ask there.
    pub sources: Vec<(String, usize, (Ms, Ms))>,
    /// The keys whose slots began to move: the key, the shard that gives it away, and the time.
    pub departures: Vec<(String, usize, Ms)>,
    ids: u64,
}

impl Truth {
    /// Returns the shards that a key had for an instance during a time. The layout of a moment ago counts, too.
    pub fn owners(&self, key: &str, instance: usize, (from, to): (Ms, Ms)) -> Vec<usize> {
        let mut owners = Vec::new();
        for (time, _, layout) in self.reloads.iter().filter(|reload| reload.1 == instance) {
            if *time > to {
                break;
            }
            if *time + 1 < from {
                owners.clear();
            }
            owners.push(self.layouts[*layout].owner(key));
        }
        for (time, shard) in self.moves.get(key).into_iter().flatten() {
            if *time > to {
                break;
            }
            if *time + 1 < from {
                owners.clear();
            }
            owners.push(*shard);
        }
        owners
    }

    /// Returns the shards that an instance may ask for a key during a time, besides its owners: its slot is on the move.
    pub fn sources(&self, key: &str, (from, to): (Ms, Ms)) -> impl Iterator<Item = usize> {
        let of_key = self.sources.iter().filter(move |(moved, ..)| *moved == key);
        of_key.filter(move |(_, _, during)| during.0 <= to && from <= during.1).map(|(_, source, _)| *source)
    }

    /// Records that a shard of a cluster has a key from now on. `arrival` is the change that brings it, `since` the offset
    /// from which on the changes of the key are those of the shard.
    pub fn move_key(&mut self, key: &str, shard: usize, now: Ms, since: u64, arrival: Option<(Ms, u64)>) {
        let Some(former) = self.owners(key, 0, (now, now)).last().copied().filter(|former| *former != shard) else {
            return;
        };
        let past = self.branches[self.current[former]].changes_of(key);
        let branch = &mut self.branches[self.current[shard]];
        branch.adopted.push(Adopted { key: key.to_owned(), past, since, arrival });
        self.moves.entry(key.to_owned()).or_default().push((now, shard));
    }

    /// Returns the shard that a key had for an instance until a reload shortly before a time, and the time of the reload.
    pub fn former_owner(&self, key: &str, instance: usize, time: Ms) -> Option<(usize, Ms)> {
        let own: Vec<_> = self.reloads.iter().filter(|reload| reload.1 == instance && reload.0 <= time).collect();
        let [.., (_, _, former), (left, _, _)] = own[..] else { return None };
        (left + FETCH_MAX >= time).then(|| (self.layouts[*former].owner(key), *left))
    }

    /// Returns the number of reloads of an instance during a time.
    pub fn reloads_during(&self, instance: usize, (from, to): (Ms, Ms)) -> usize {
        self.reloads.iter().filter(|(time, of, _)| *of == instance && (from..=to).contains(time)).count()
    }

    /// Returns a number that was not used before.
    pub fn next_id(&mut self) -> u64 {
        self.ids += 1;
        self.ids
    }
}

impl World {
    /// Begins a branch: the node has become a master.
    pub fn begin_branch(&mut self, node: usize) {
        let shard = self.nodes[node].shard;
        let Data { history, replid, .. } = self.nodes[node].data.clone();
        let brought = |arrival: (Ms, u64)| history.iter().any(|applied| (applied.time, applied.end) == arrival);
        let mut of_shard = self.truth.branches.iter().filter(|branch| branch.shard == shard);
        let adopted = of_shard.next_back().into_iter().flat_map(|branch| &branch.adopted);
        let adopted: Vec<_> = adopted.filter(|adopted| adopted.arrival.is_none_or(brought)).cloned().collect();
        self.nodes[node].branch = Some(self.truth.branches.len());
        self.truth.branches.push(Branch {
            shard,
            node,
            ended: None,
            accepted: None,
            superseded: None,
            replid,
            history,
            adopted,
        });
        self.note_change_of_roles(node);
    }

    /// Records a change of roles, in whose time an instance may take the master for lost. A node of a cluster that hands
    /// over answers nothing itself any more, so that nobody has to take it for lost.
    fn note_change_of_roles(&mut self, node: usize) {
        if self.nodes[node].cluster.is_none() || !self.nodes[node].is_serving() {
            self.truth.disturbances.push((self.now, self.nodes[node].shard));
        }
    }

    /// Ends the branch of a node that is no master any more.
    pub fn end_branch(&mut self, node: usize) {
        self.note_change_of_roles(node);
        if let Some(branch) = self.nodes[node].branch.take() {
            self.truth.branches[branch].ended = Some(self.now);
        }
    }

    /// Makes the branch of a node the one that counts.
    pub fn accept(&mut self, node: usize) {
        let (now, shard) = (self.now, self.nodes[node].shard);
        let Some(accepted) = self.nodes[node].branch else { return };
        if self.truth.branches[accepted].accepted.is_some() {
            return;
        }
        self.note(&format!("node {node} is the master of its shard now"));
        if let Some(returned) = self.returned_branch(shard).filter(|returned| self.is_copy(accepted, *returned)) {
            // Whoever has not heard of the promotion yet may use the master that the data is from.
            self.truth.branches[returned].accepted = Some(now);
        }
        for (number, branch) in self.truth.branches.iter_mut().enumerate().filter(|(_, it)| it.shard == shard) {
            if number == accepted {
                branch.accepted = Some(now);
            } else {
                branch.superseded.get_or_insert(now);
            }
        }
        self.truth.current.resize(self.truth.current.len().max(shard + 1), 0);
        self.truth.current[shard] = accepted;
    }

    /// Returns true if a node is a master that was deposed, and has not been anything else since.
    pub fn is_former_master(&self, node: usize) -> bool {
        let branch = self.nodes[node].branch.map(|branch| &self.truth.branches[branch]);
        branch.is_some_and(|branch| branch.accepted.is_some() && branch.superseded.is_some())
    }

    /// Makes a deposed master the one that counts again, with everything that it has written meanwhile.
    pub fn accept_again(&mut self, node: usize) {
        if self.is_former_master(node) {
            self.end_branch(node);
            self.begin_branch(node);
            self.accept(node);
        }
    }

    /// Returns the branch of a master that came back without data, and does not count.
    fn returned_branch(&self, shard: usize) -> Option<usize> {
        let current = *self.truth.current.get(shard)?;
        let branch = self.nodes[self.truth.branches[current].node].branch?;
        (branch != current && self.truth.branches[branch].accepted.is_none()).then_some(branch)
    }

    /// Returns true if two branches have the same history.
    fn is_copy(&self, one: usize, other: usize) -> bool {
        let [one, other] = [one, other].map(|branch| positions(&self.truth.branches[branch].history));
        one == other
    }

    /// Accepts a master that came back without data, if no other node of its shard has more.
    pub fn look_for_survivors(&mut self, node: usize) {
        let shard = self.nodes[node].shard;
        let Some(branch) = self.returned_branch(shard) else { return };
        let (current, master) = (self.truth.current[shard], self.truth.branches[branch].node);
        let returned = positions(&self.truth.branches[branch].history);
        let lost: BTreeSet<_> =
            positions(&self.truth.branches[current].history).difference(&returned).copied().collect();
        let has_more = self.nodes.iter().enumerate().any(|(number, other)| {
            let is_other = number != master && other.shard == shard && other.is_alive;
            // Nobody can tell what a node with an older history has.
            let has_history = other.data.replid == self.truth.branches[current].replid;
            is_other && has_history && positions(&other.data.history).intersection(&lost).next().is_some()
        });
        if !has_more {
            self.accept(master);
        }
    }
}

/// Returns the changes of a history by their times and offsets.
fn positions(history: &[Applied]) -> BTreeSet<(Ms, u64)> {
    history.iter().map(|applied| (applied.time, applied.end)).collect()
}
