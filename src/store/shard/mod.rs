//! A master and its replicas: who is asked, and what their failures mean.

mod attempts;
pub mod election;
pub mod hedge;
pub mod members;
pub mod reading;
pub mod roles;

pub use attempts::Attempts;

use crate::{
    settings,
    store::{
        consistency::ReadRequirement,
        error::{Access, NodeError, StoreError, WriteFailure},
        node::connect::RedisCertificateError,
        node::connection::{Abandon, CallTimeout},
        node::replication::{ReplicationInfo, ReplicationRole},
        node::{Node, NodeContext, NodeId, ShardContext, ShardName},
        shard::{hedge::Hedge, members::Members},
    },
    telemetry::{
        events::Events,
        metrics::{Counter, Fallback},
    },
    types::{Address, Deadline},
};
use arc_swap::ArcSwap;
use redis::Value;
use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::{
    sync::{Notify, watch},
    time::timeout_at,
};

/// How large values are taken to be before any was read.
const VALUE_BYTES_AT_FIRST: usize = 64 * 1024;

pub struct Shard {
    /// Why it has no nodes and will not get any.
    unavailable_reason: Option<&'static str>,
    members: ArcSwap<Members>,
    pub(super) election: Mutex<MasterElection>,
    /// How large values are: an estimate from those read.
    value_bytes: AtomicUsize,
    /// How long one node may take to answer a read.
    pub attempt_timeout: Duration,
    /// Where slow reads are sent to a second node.
    pub hedge: Option<Hedge>,
    /// How often writes went to another master from then on.
    pub promotions: Counter,
    context: ShardContext,
    /// Told when nodes come or go, so that connections are kept to those that there are.
    layout_changed: watch::Sender<()>,
}

/// What the election goes by, besides the standings. Who holds it may change the members.
#[derive(Default)]
pub struct MasterElection {
    /// The history that the master was last known to write.
    pub replication_id: String,
    /// The master by the word of whoever decides over failovers, where somebody does.
    pub announced_master: Option<Address>,
    /// The one that was appointed and from which another one proved to have taken over.
    pub superseded: Option<Address>,
    /// The history of the one that was last appointed and was a master: its promotion is as good as seen.
    pub trusted_id: Option<String>,
    /// Two nodes at once call themselves master.
    pub split_brain: bool,
}

/// How a shard is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShardHealth {
    pub name: String,
    /// Somebody has told which nodes there are.
    pub known: bool,
    pub master_up: bool,
    pub replicas_up: usize,
    pub replicas: usize,
    /// Two nodes at once call themselves master.
    pub split_brain: bool,
    /// Why there are no nodes at all.
    pub unavailable_reason: Option<&'static str>,
}

impl ShardHealth {
    /// True if reads are served: by a replica or by the master.
    pub fn can_read(&self) -> bool {
        self.master_up || self.replicas_up > 0
    }
}

impl Shard {
    /// A shard without nodes; `layout` is told when it gets some.
    pub fn new(name: &str, redis: &settings::RedisConfig, around: &NodeContext, layout: &watch::Sender<()>) -> Self {
        Self {
            unavailable_reason: None,
            members: ArcSwap::default(),
            election: Mutex::default(),
            value_bytes: AtomicUsize::new(VALUE_BYTES_AT_FIRST),
            attempt_timeout: redis.attempt_timeout,
            hedge: redis.hedge_reads.then(Hedge::default),
            promotions: Counter::default(),
            context: ShardContext {
                name: ShardName::new(name),
                node_context: around.clone(),
                ..ShardContext::default()
            },
            layout_changed: layout.clone(),
        }
    }

    /// Of a Redis Cluster; `alarm` is told when a node is lost or turns into something else.
    pub fn in_cluster(mut self, alarm: &Arc<Notify>) -> Self {
        self.context.topology_changed = Some(Arc::clone(alarm));
        self
    }

    /// One that stands for what nobody serves: whoever asks fails at once.
    pub fn without_nodes(mut self, why: &'static str) -> Self {
        self.unavailable_reason = Some(why);
        self
    }

    pub fn has_no_nodes_ever(&self) -> bool {
        self.unavailable_reason.is_some()
    }

    /// True if it is the one that writes go to.
    pub fn is_master(&self, node: &Node) -> bool {
        self.members.load().master().is_some_and(|master| master.id == node.id)
    }

    pub fn name(&self) -> Arc<str> {
        self.context.name.get()
    }

    pub fn rename(&self, name: &str) {
        self.context.name.set(name);
    }

    pub fn events(&self) -> &Events {
        &self.context.node_context.events
    }

    pub fn members(&self) -> Arc<Members> {
        self.members.load_full()
    }

    /// Sets the nodes that there are. Those that stay keep their connections, and the master its part; a new shard
    /// takes the first one for its master until it knows better. The error says what is wrong with the certificates
    /// for Redis.
    pub fn set_nodes(&self, addresses: &[Address], redis: &settings::RedisConfig) -> Result<(), RedisCertificateError> {
        self.set_nodes_from(addresses, redis, |_| None)?;
        self.layout_changed.send_replace(());
        Ok(())
    }

    /// As [`Shard::set_nodes`], with nodes that another shard had, and without telling the layout: a node must not be
    /// missing there on its way from shard to shard.
    pub fn set_nodes_from(
        &self,
        addresses: &[Address],
        redis: &settings::RedisConfig,
        known: impl Fn(&Address) -> Option<Arc<Node>>,
    ) -> Result<(), RedisCertificateError> {
        let _decision = self.lock_election();
        let before = self.members();
        let node = |address: &Address| match before.find(address).cloned().or_else(|| known(address)) {
            Some(node) => {
                node.move_to_shard(&self.context);
                Ok(node)
            }
            None => Node::new(address, redis, &self.context).map(Arc::new),
        };
        let nodes = addresses.iter().map(node).collect::<Result<Vec<_>, _>>()?;
        let master = before.master().and_then(|master| nodes.iter().position(|node| node.id == master.id));
        self.replace_members(Members::new(nodes, master.or(Some(0))));
        Ok(())
    }

    /// To be called by whoever holds the decision.
    pub(super) fn replace_members(&self, members: Members) {
        self.members.store(Arc::new(members));
        self.context.changed.send_replace(());
    }

    /// Told of every change of a node.
    pub(super) fn subscribe(&self) -> watch::Receiver<()> {
        self.context.changed.subscribe()
    }

    /// The node to read from, see [`Members::readable`]. While there is none but a connection is being made, that is
    /// waited for.
    pub async fn reader(
        &self,
        wish: &ReadRequirement,
        tried: &Attempts,
        deadline: Deadline,
    ) -> Result<Arc<Node>, StoreError> {
        if let Some(node) = self.readable(wish, tried) {
            return Ok(node);
        }
        // A node that is there and cannot be read yet is worth waiting for as well: it may just be changing its part.
        let is_busy = matches!(tried.last(), Some(NodeError::Busy));
        let worth_waiting =
            |node: &Arc<Node>| !tried.is_excluded(node) && (node.is_connecting() || (node.is_up() && !is_busy));
        let hopeful = || {
            let members = self.members.load();
            members.nodes().is_empty() || members.nodes().iter().any(worth_waiting)
        };
        let found = self.wait_until(deadline, || self.readable(wish, tried), hopeful).await;
        found.ok_or_else(|| {
            self.members.load().nodes().iter().for_each(|node| node.request_reconnect());
            self.no_reader_error(tried, deadline)
        })
    }

    /// What it means that no node is left to read from.
    pub fn no_reader_error(&self, tried: &Attempts, deadline: Deadline) -> StoreError {
        let cause = tried.last().cloned().unwrap_or(NodeError::NotConnected);
        if deadline.has_passed() {
            StoreError::DeadlinePassed { shard: self.name(), cause }
        } else {
            self.read_failure(cause)
        }
    }

    /// Why `node` answered a read rather than the one that the key is drawn to; `None` if it is that one, or only
    /// confirmed as the master what that one said.
    pub fn fallback_cause(&self, wish: &ReadRequirement, tried: &Attempts, node: &Node) -> Option<Fallback> {
        let members = self.members.load();
        let first = members.preferred(wish).filter(|first| first.id != node.id && !tried.has_missed())?;
        let is_master = members.master().is_some_and(|master| master.id == first.id);
        Some(if tried.has_failed(first) {
            Fallback::Failed
        } else if !(first.is_readable_replica() || is_master) {
            Fallback::Unreadable
        } else if !first.has_replicated_up_to(wish.since) {
            Fallback::NotFresh
        } else {
            Fallback::Slow
        })
    }

    /// A second node for a read that waits for `node`, if there is one.
    pub fn second(&self, wish: &ReadRequirement, tried: &Attempts, node: &Node) -> Option<Arc<Node>> {
        let wish = tried.remaining_requirement(wish);
        self.members
            .load()
            .readable(&wish, |other| other.id == node.id || tried.has_tried(other), tried.all_failed())
            .cloned()
    }

    /// What it comes to that nobody is left to ask: a replica's word that there is no such key counts while its master
    /// is known to be lost.
    pub fn miss_or<T>(&self, tried: &Attempts, error: StoreError) -> Result<Option<T>, StoreError> {
        let lost = |master: &Arc<Node>| !master.is_up() && !master.is_connecting();
        if tried.has_missed() && self.members.load().master().is_some_and(lost) { Ok(None) } else { Err(error) }
    }

    /// How long a read may wait for `node`: the last one that is left has all the time there is.
    pub fn call_timeout(
        &self,
        wish: &ReadRequirement,
        tried: &Attempts,
        node: &Node,
        deadline: Deadline,
    ) -> CallTimeout {
        let other = self.second(wish, tried, node);
        CallTimeout { deadline, abandon: if other.is_some() { Abandon::WhenUnresponsive } else { Abandon::WhenHung } }
    }

    /// The node to read from, if there is one now.
    pub fn readable(&self, wish: &ReadRequirement, tried: &Attempts) -> Option<Arc<Node>> {
        let wish = tried.remaining_requirement(wish);
        self.members.load().readable(&wish, |node| tried.has_tried(node), tried.all_failed()).cloned()
    }

    /// True if that node would be read from now.
    pub fn would_read(&self, wish: &ReadRequirement, node: NodeId) -> bool {
        self.members.load().readable(wish, |_| false, false).is_some_and(|readable| readable.id == node)
    }

    /// The node to write to, once it is connected. Fails at once if it is known that it is not; after a node in
    /// `tried` refused the write, another one is waited for, for it may just be taking over.
    pub async fn writer(&self, tried: &Attempts, deadline: Deadline) -> Result<Arc<Node>, StoreError> {
        let usable = |node: &&Arc<Node>| !tried.has_tried(node) && node.is_up();
        let ready = || self.members.load().master().filter(usable).cloned();
        let hopeful = || tried.last().is_some() || self.members.load().master().is_none_or(|node| node.is_connecting());
        let found = self.wait_until(deadline, ready, hopeful).await;
        found.ok_or_else(|| {
            self.members.load().nodes().iter().for_each(|node| node.request_reconnect());
            self.write_failure(WriteFailure(tried.last().cloned().unwrap_or(NodeError::NotConnected)))
        })
    }

    /// The node with this address, once it is connected; whether it is the master does not matter.
    pub async fn node(&self, address: &Address, deadline: Deadline) -> Result<Arc<Node>, NodeError> {
        let members = || self.members.load();
        let ready = || members().find(address).filter(|node| node.is_up()).cloned();
        let hopeful = || members().find(address).is_some_and(|node| node.is_connecting());
        self.wait_until(deadline, ready, hopeful).await.ok_or(NodeError::NotConnected)
    }

    /// How large values are, in bytes, going by those read lately.
    pub fn value_bytes(&self) -> usize {
        self.value_bytes.load(Relaxed)
    }

    /// Notes the length of a value that was read: the estimate rises at once and falls slowly. An update that is lost
    /// to another one costs nothing.
    pub fn record_value_bytes(&self, value: &Value) {
        if let Value::BulkString(bytes) = value {
            let mean = self.value_bytes.load(Relaxed);
            let mean = bytes.len().max(mean - mean / 8 + bytes.len() / 8);
            self.value_bytes.store(mean, Relaxed);
        }
    }

    /// Waits, no longer than one attempt, until `ready` gives something or nothing more is to be hoped for.
    async fn wait_until<T>(
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
        let mut changes = self.subscribe();
        loop {
            if let Some(found) = ready() {
                return Some(found);
            }
            if self.has_no_nodes_ever() || !hopeful() || timeout_at(until, changes.changed()).await.is_err() {
                return ready();
            }
        }
    }

    /// What a read's last failure means.
    pub fn read_failure(&self, cause: NodeError) -> StoreError {
        StoreError::new(Access::Read, self.name(), cause)
    }

    /// What a write's failure means.
    pub fn write_failure(&self, failure: WriteFailure) -> StoreError {
        failure.of(self.name())
    }

    pub fn health(&self) -> ShardHealth {
        let members = self.members.load();
        let is_demoted = |master: &Node| {
            matches!(master.replication_info(), Some(ReplicationInfo { role: ReplicationRole::Replica { .. }, .. }))
        };
        ShardHealth {
            name: self.name().to_string(),
            known: !members.nodes().is_empty(),
            master_up: members.master().is_some_and(|master| master.is_up() && !is_demoted(master)),
            replicas_up: members.replicas().filter(|node| node.is_usable_replica()).count(),
            replicas: members.replicas().count(),
            split_brain: self.lock_election().split_brain,
            unavailable_reason: self.unavailable_reason,
        }
    }
}
