//! A master and its replicas: who is asked, and what their failures mean.

use super::{
    Location,
    error::{NodeError, StoreError, WriteFailure},
    node::Node,
};
use crate::{ring::rendezvous_score, settings, types::Deadline};
use redis::{Cmd, Value};
use std::{sync::Arc, time::Duration};
use tokio::{sync::watch, time::timeout_at};

/// Position of the master among a shard's nodes.
pub const MASTER: usize = 0;

pub struct Shard {
    name: Arc<str>,
    /// The master, then the replicas.
    nodes: Vec<Arc<Node>>,
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
#[derive(Default)]
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
        Ok(Self { name: shard.name.as_str().into(), nodes, attempt_timeout: redis.attempt_timeout, changed })
    }

    pub fn nodes(&self) -> impl Iterator<Item = &Arc<Node>> {
        self.nodes.iter()
    }

    pub fn node(&self, position: usize) -> &Node {
        &self.nodes[position]
    }

    pub async fn ask(&self, node: usize, command: &Cmd, deadline: Deadline) -> Result<Value, NodeError> {
        self.nodes[node].ask(command, deadline).await
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
        found.ok_or_else(|| {
            let cause = tried.last.clone().unwrap_or(NodeError::NotConnected);
            if deadline.has_passed() {
                StoreError::DeadlinePassed { shard: Arc::clone(&self.name), cause }
            } else {
                self.read_failure(cause)
            }
        })
    }

    fn readable(&self, hash: u64, tried: &Tried) -> Option<usize> {
        let usable = |node: &usize| !tried.has(*node) && self.nodes[*node].is_readable();
        self.replicas()
            .filter(usable)
            .max_by_key(|node| self.score(hash, *node))
            .or_else(|| Some(MASTER).filter(usable))
    }

    fn replicas(&self) -> std::ops::Range<usize> {
        MASTER + 1..self.nodes.len()
    }

    fn score(&self, hash: u64, node: usize) -> u64 {
        rendezvous_score(hash, self.nodes[node].seed)
    }

    /// Returns when the master is connected; at once if it is known that it is not.
    pub async fn wait_for_master(&self, deadline: Deadline) -> Result<(), StoreError> {
        let master = &self.nodes[MASTER];
        let found = self.wait(deadline, || master.is_up().then_some(()), || master.is_connecting()).await;
        found.ok_or_else(|| self.write_failure(WriteFailure(NodeError::NotConnected)))
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
            NodeError::Busy => StoreError::Overloaded { shard, cause },
            _ => StoreError::Unavailable { shard, cause },
        }
    }

    /// What a write's failure means.
    pub fn write_failure(&self, failure: WriteFailure) -> StoreError {
        failure.of(Arc::clone(&self.name))
    }

    pub fn health(&self) -> ShardHealth {
        let (master, replicas) = (&self.nodes[MASTER], &self.nodes[MASTER + 1..]);
        let replicas_up = replicas.iter().filter(|replica| replica.is_readable()).count();
        ShardHealth { name: self.name.to_string(), master_up: master.is_up(), replicas_up, replicas: replicas.len() }
    }

    pub fn locate(&self, hash: u64) -> Location {
        let first = self.replicas().max_by_key(|node| self.score(hash, *node));
        Location {
            shard: self.name.to_string(),
            master: self.nodes[MASTER].address.clone(),
            replica: first.map(|node| self.nodes[node].address.clone()),
        }
    }
}
