//! The shard itself: the struct that its members, its election and its waits belong to.

use super::{
    attempts::Attempts, election_state::MasterElection, hedge::Hedge, member_cell::MemberCell, members::Members,
    standing::MasterStanding,
};
use crate::{
    settings,
    store::{
        change_signal::ChangeSignal,
        consistency::ReadRequirement,
        node::{Node, NodeContext, NodeId, ShardContext, ShardName, value_size::ValueSizeEstimate},
    },
    telemetry::{
        events::Events,
        metrics::{Counter, Counters, NodeRole, ShardFailure},
    },
    types::Address,
};
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::sync::Notify;

/// The estimated size of values before any was read, in bytes.
const VALUE_BYTES_INITIAL: usize = 64 * 1024;

/// A master and its replicas.
pub struct Shard {
    /// The reason why the shard has no nodes and never will; `None` for a shard that may have some.
    pub(super) unavailable_reason: Option<&'static str>,
    /// The nodes of the shard, and which of them is the master.
    pub(super) members: MemberCell,
    /// The state of the election. The holder of the lock may replace the members.
    pub(super) election: Mutex<MasterElection>,
    /// The time for which a master is not used that lacks data of its replicas, or the proof that it is one.
    pub(super) hold_time: Duration,
    /// The size of the values that were read lately.
    pub value_size: ValueSizeEstimate,
    /// The time that one node may take to answer a read.
    pub attempt_timeout: Duration,
    /// The state of hedged reads; `None` where slow reads are not sent to a second node.
    pub hedge: Option<Hedge>,
    /// The number of times that writes moved to another master.
    pub promotions: Counter,
    /// The number of times that the master came back without data that its replicas had.
    pub masters_without_data: Counter,
    /// The number of commands that failed because of the shard.
    pub failures: Counters<ShardFailure>,
    context: ShardContext,
    /// Notified when nodes come or go, so that connections are opened and closed.
    node_set_changed: ChangeSignal,
}

impl Shard {
    /// Creates a shard without nodes; `node_set_changed` is notified when it gets some.
    pub fn new(
        name: &str,
        redis: &settings::RedisConfig,
        node_context: &NodeContext,
        node_set_changed: &ChangeSignal,
    ) -> Self {
        let context =
            ShardContext { name: ShardName::new(name), node_context: node_context.clone(), ..ShardContext::default() };
        Self {
            unavailable_reason: None,
            members: MemberCell::new(&context.changed),
            election: Mutex::new(MasterElection::new(redis.master_hold)),
            hold_time: redis.master_hold,
            value_size: ValueSizeEstimate::new(VALUE_BYTES_INITIAL),
            attempt_timeout: redis.attempt_timeout,
            hedge: redis.hedge_reads.then(Hedge::default),
            promotions: Counter::default(),
            masters_without_data: Counter::default(),
            failures: Counters::default(),
            context,
            node_set_changed: node_set_changed.clone(),
        }
    }

    /// Makes it a shard of a Redis Cluster; `refresh_requested` is notified when a node is lost or changes its role.
    pub fn in_cluster(mut self, refresh_requested: &Arc<Notify>) -> Self {
        self.context.cluster_refresh_requested = Some(Arc::clone(refresh_requested));
        self
    }

    /// Makes it a shard that never has nodes: every operation on it fails at once.
    pub fn without_nodes(mut self, reason: &'static str) -> Self {
        self.unavailable_reason = Some(reason);
        self
    }

    /// Returns true if the shard has no nodes and never will.
    pub fn has_no_nodes_ever(&self) -> bool {
        self.unavailable_reason.is_some()
    }

    /// Returns true if writes go to this node.
    pub fn is_master(&self, node: &Node) -> bool {
        self.members.load().master().is_some_and(|master| master.id == node.id)
    }

    /// Returns true if this node belongs to the shard.
    pub fn has_node(&self, node: NodeId) -> bool {
        self.members.load().nodes().iter().any(|member| member.id == node)
    }

    /// Returns true if a read would be sent to this node now.
    pub fn would_read(&self, requirement: &ReadRequirement, node: NodeId) -> bool {
        self.members.load().choose(requirement, &Attempts::default()).is_some_and(|choice| choice.node.id == node)
    }

    /// Returns the name of the shard.
    pub fn name(&self) -> Arc<str> {
        self.context.name.get()
    }

    /// Changes the name of the shard, which has the ranges of its slots in a Redis Cluster.
    pub fn rename(&self, name: &str) {
        self.context.name.set(name);
    }

    /// Returns the log of events that the console shows.
    pub fn events(&self) -> &Events {
        &self.context.node_context.events
    }

    /// Notifies everything that waits for a change of the shard's nodes.
    pub(super) fn notify_changed(&self) {
        self.context.notify_changed();
    }

    /// Returns the nodes that the shard has now.
    pub fn members(&self) -> Arc<Members> {
        self.members.load_full()
    }

    /// Sets the nodes of the shard. Nodes that stay keep their connections, and the master its role; in a new shard the
    /// first node counts as master until more is known.
    pub fn set_nodes(&self, addresses: &[Address], redis: &settings::RedisConfig) {
        self.set_nodes_from(addresses, redis, |_| None);
        self.node_set_changed.notify();
    }

    /// Sets the nodes as [`Shard::set_nodes`] does, with nodes that another shard had, and without a notification: a
    /// node must not be missing in the shard map while it moves between shards.
    pub fn set_nodes_from(
        &self,
        addresses: &[Address],
        redis: &settings::RedisConfig,
        known: impl Fn(&Address) -> Option<Arc<Node>>,
    ) {
        let mut election = self.lock_election();
        let before = self.members();
        let mut nodes = Vec::with_capacity(addresses.len());
        for address in addresses {
            nodes.push(match before.find(address).cloned().or_else(|| known(address)) {
                Some(node) => {
                    node.move_to_shard(&self.context);
                    node
                }
                None => Arc::new(Node::new(address, redis, &self.context)),
            });
        }
        let master = before.master().and_then(|master| nodes.iter().position(|node| node.id == master.id));
        let standing = if master.is_some() { before.standing() } else { MasterStanding::Accepted };
        if master.is_none() && before.master().is_some() {
            election.record_replaced_master();
        }
        for (position, node) in nodes.iter().enumerate() {
            let is_master = position == master.unwrap_or(0);
            node.record_role(if is_master { NodeRole::Master } else { NodeRole::Replica });
        }
        self.members.publish(Members::new(nodes, master.or(Some(0))).with_standing(standing));
    }
}
