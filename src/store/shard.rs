//! A master and its replicas: who is asked, and what their failures mean.

use super::{
    Location,
    error::{NodeError, StoreError, WriteFailure},
    link::Patience,
    node::Node,
    standing::{Incumbent, Role, Standing, elect},
};
use crate::{ring::rendezvous_score, settings, types::Deadline};
use redis::{Cmd, Value};
use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::{sync::watch, time::timeout_at};

/// How large values are taken to be before any was read.
const VALUE_BYTES_AT_FIRST: usize = 64 * 1024;

pub struct Shard {
    name: Arc<str>,
    /// As configured: the master, then the replicas. Which one is the master now, `master` says.
    nodes: Vec<Arc<Node>>,
    master: AtomicUsize,
    /// The history that the master was last known to write.
    history: Mutex<String>,
    /// How large values are: an estimate from those read.
    value_bytes: AtomicUsize,
    /// How long one node may take to answer a read.
    pub attempt_timeout: Duration,
    changed: Arc<watch::Sender<()>>,
}

/// How a shard is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShardHealth {
    pub name: String,
    pub master_up: bool,
    pub replicas_up: usize,
    pub replicas: usize,
}

impl ShardHealth {
    /// True if reads are served: by a replica or by the master.
    pub fn can_read(&self) -> bool {
        self.master_up || self.replicas_up > 0
    }
}

/// The nodes that a read has been sent to in vain, and why the last one failed.
#[derive(Clone, Default)]
pub struct Tried {
    nodes: u64,
    last: Option<NodeError>,
}

impl Tried {
    pub fn note(&mut self, node: usize, error: NodeError) {
        self.nodes |= bit(node);
        self.last = Some(error);
    }

    fn has(&self, node: usize) -> bool {
        self.nodes & bit(node) != 0
    }
}

/// Nodes beyond the 64th share the last bit: at worst one of them is not asked.
fn bit(node: usize) -> u64 {
    1 << node.min(63)
}

impl Shard {
    pub fn new(shard: &settings::Shard, redis: &settings::Redis) -> Result<Self, String> {
        let changed = Arc::new(watch::Sender::new(()));
        let addresses = std::iter::once(&shard.master).chain(&shard.replicas);
        let nodes =
            addresses.map(|address| Node::new(address, redis, &changed).map(Arc::new)).collect::<Result<_, _>>()?;
        Ok(Self {
            name: shard.name.as_str().into(),
            nodes,
            master: AtomicUsize::new(0),
            history: Mutex::new(String::new()),
            value_bytes: AtomicUsize::new(VALUE_BYTES_AT_FIRST),
            attempt_timeout: redis.attempt_timeout,
            changed,
        })
    }

    pub fn nodes(&self) -> impl Iterator<Item = &Arc<Node>> {
        self.nodes.iter()
    }

    pub fn node(&self, position: usize) -> &Node {
        &self.nodes[position]
    }

    pub async fn ask(&self, node: usize, command: &Cmd, patience: Patience) -> Result<Value, NodeError> {
        self.nodes[node].ask(command, patience).await
    }

    /// The node to read a key with this hash from: of the readable replicas the one the key is drawn to, else the
    /// master. While there is none but a connection is being made, that is waited for.
    pub async fn reader(&self, hash: u64, tried: &Tried, deadline: Deadline) -> Result<usize, StoreError> {
        if let Some(node) = self.readable(hash, tried) {
            return Ok(node);
        }
        let worth_waiting = |node: usize| !tried.has(node) && self.nodes[node].is_connecting();
        let found =
            self.wait(deadline, || self.readable(hash, tried), || (0..self.nodes.len()).any(worth_waiting)).await;
        found.ok_or_else(|| self.unreadable(tried, deadline))
    }

    /// What it means that no node is left to read from.
    pub fn unreadable(&self, tried: &Tried, deadline: Deadline) -> StoreError {
        let cause = tried.last.clone().unwrap_or(NodeError::NotConnected);
        if deadline.has_passed() {
            StoreError::DeadlinePassed { shard: Arc::clone(&self.name), cause }
        } else {
            self.read_failure(cause)
        }
    }

    /// How long a read may wait for `node`: the last one that is left has all the time there is.
    pub fn patience(&self, hash: u64, tried: &Tried, node: usize, deadline: Deadline) -> Patience {
        let without = Tried { nodes: tried.nodes | bit(node), last: None };
        Patience { deadline, may_go_elsewhere: self.readable(hash, &without).is_some() }
    }

    /// The node to read a key with this hash from, if there is one now.
    pub fn readable(&self, hash: u64, tried: &Tried) -> Option<usize> {
        let usable = |node: &usize| !tried.has(*node) && self.nodes[*node].is_readable_replica();
        let replica = self.replicas().filter(usable).max_by_key(|node| self.score(hash, *node));
        replica.or_else(|| {
            Some(self.master()).filter(|master| !tried.has(*master) && self.nodes[*master].is_readable_master())
        })
    }

    /// Position of the node that writes go to.
    fn master(&self) -> usize {
        self.master.load(Relaxed)
    }

    fn replicas(&self) -> impl Iterator<Item = usize> + use<> {
        let master = self.master();
        (0..self.nodes.len()).filter(move |node| *node != master)
    }

    fn score(&self, hash: u64, node: usize) -> u64 {
        rendezvous_score(hash, self.nodes[node].seed)
    }

    /// The node to write to, once it is connected. Fails at once if it is known that it is not; after a node in
    /// `tried` refused the write, another one is waited for, for it may just be taking over.
    pub async fn writer(&self, tried: &Tried, deadline: Deadline) -> Result<usize, StoreError> {
        let usable = |node: &usize| !tried.has(*node) && self.nodes[*node].is_up();
        let ready = || Some(self.master()).filter(usable);
        let found =
            self.wait(deadline, ready, || tried.last.is_some() || self.nodes[self.master()].is_connecting()).await;
        let cause = || tried.last.clone().unwrap_or(NodeError::NotConnected);
        found.ok_or_else(|| self.write_failure(WriteFailure(cause())))
    }

    /// How large values are, in bytes, going by those read lately.
    pub fn value_bytes(&self) -> usize {
        self.value_bytes.load(Relaxed)
    }

    /// Notes the length of a value that was read: the estimate rises at once and falls slowly. An update that is lost
    /// to another one costs nothing.
    pub fn note_value(&self, value: &Value) {
        if let Value::BulkString(bytes) = value {
            let mean = self.value_bytes.load(Relaxed);
            let mean = bytes.len().max(mean - mean / 8 + bytes.len() / 8);
            self.value_bytes.store(mean, Relaxed);
        }
    }

    /// Follows whoever is promoted, for ever.
    pub async fn watch_roles(&self) {
        let mut changes = self.changed.subscribe();
        loop {
            self.elect();
            if changes.changed().await.is_err() {
                return;
            }
        }
    }

    fn elect(&self) {
        let standings: Vec<_> = self.nodes.iter().map(|node| node.standing()).collect();
        let mut history = self.history.lock().unwrap_or_else(PoisonError::into_inner);
        let before = self.master();
        let (up, connecting) = (self.nodes[before].is_up(), self.nodes[before].is_connecting());
        let incumbent = Incumbent { node: before, history: &history, is_down: !up && !connecting };
        let now = elect(incumbent, &standings);
        if let Some(master) = standings[now].as_ref().filter(|standing| standing.role == Role::Master) {
            history.clone_from(&master.history);
        }
        for (node, standing) in self.nodes.iter().zip(&standings) {
            // One that follows another master has that one's data. While nothing is known, nothing is held against it.
            let follows = |standing: &Standing| history.is_empty() || standing.history == *history;
            node.set_in_line(standing.as_ref().is_none_or(follows));
        }
        if now != before {
            let (old, new) = (&self.nodes[before].address, &self.nodes[now].address);
            tracing::warn!(shard = &*self.name, %old, %new, "writes go to another master");
            self.master.store(now, Relaxed);
            self.changed.send_replace(());
        }
    }

    /// Waits, no longer than one attempt, until `ready` gives something or nothing more is to be hoped for.
    async fn wait<T>(
        &self,
        deadline: Deadline,
        ready: impl Fn() -> Option<T>,
        hopeful: impl Fn() -> bool,
    ) -> Option<T> {
        let until = deadline.attempt(self.attempt_timeout).instant();
        if let Some(found) = ready() {
            return Some(found);
        }
        // Subscribed before the next look, so that no change falls between the look and the wait.
        let mut changes = self.changed.subscribe();
        loop {
            if let Some(found) = ready() {
                return Some(found);
            }
            if !hopeful() || timeout_at(until, changes.changed()).await.is_err() {
                return None;
            }
        }
    }

    /// What a read's last failure means.
    pub fn read_failure(&self, cause: NodeError) -> StoreError {
        let shard = Arc::clone(&self.name);
        match &cause {
            NodeError::Answered { code, .. } if code == "WRONGTYPE" => StoreError::WrongType,
            NodeError::NoRoom => StoreError::ReplyTooLarge,
            NodeError::Busy => StoreError::Overloaded { shard, cause },
            _ => StoreError::Unavailable { shard, cause },
        }
    }

    /// What a write's failure means.
    pub fn write_failure(&self, failure: WriteFailure) -> StoreError {
        failure.of(Arc::clone(&self.name))
    }

    pub fn health(&self) -> ShardHealth {
        let replicas_up = self.replicas().filter(|node| self.nodes[*node].is_readable_replica()).count();
        let master = &self.nodes[self.master()];
        let demoted = matches!(master.standing(), Some(Standing { role: Role::Replica { .. }, .. }));
        let master_up = master.is_up() && !demoted;
        ShardHealth { name: self.name.to_string(), master_up, replicas_up, replicas: self.nodes.len() - 1 }
    }

    pub fn locate(&self, hash: u64) -> Location {
        let first = self.replicas().max_by_key(|node| self.score(hash, *node));
        Location {
            shard: self.name.to_string(),
            master: self.nodes[self.master()].address.clone(),
            replica: first.map(|node| self.nodes[node].address.clone()),
        }
    }
}
