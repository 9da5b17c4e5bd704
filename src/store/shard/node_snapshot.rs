//! The state of a shard's nodes at one time, for status and metrics.

use crate::{
    store::{
        node::{Node, replication::ReplicationRole, resources::NodeResources},
        shard::{health::reports_master, members::Members, redis_shard::Shard},
    },
    telemetry::metrics::{LinkState, NodeRole},
};
use std::sync::Arc;

/// The state of a node at one time.
pub struct NodeSnapshot {
    /// The name of the node's shard.
    pub shard: String,
    /// The address of the node.
    pub address: String,
    /// The node itself.
    pub node: Arc<Node>,
    /// The state of its connections.
    pub state: LinkState,
    /// Its role in the shard, as the election decided.
    pub role: NodeRole,
    /// True if the node itself reports the role of master.
    pub reports_master: bool,
    /// The age of the newest change that a replica is known to have, in seconds.
    pub lag_secs: Option<f64>,
    /// The distance between the offsets of a replica and its master, in bytes.
    pub lag_bytes: Option<u64>,
    /// The memory and the keys of the process, if they are known.
    pub resources: Option<Arc<NodeResources>>,
}

impl NodeSnapshot {
    /// Returns the state of all nodes of a shard, which is shown under `name`.
    pub fn of_shard(shard: &Shard, name: &str) -> Vec<Self> {
        let members = shard.members();
        let nodes = members.nodes().iter().enumerate();
        nodes
            .map(|(position, node)| Self::new(name, node, &members, members.master_position() == Some(position)))
            .collect()
    }

    fn new(shard: &str, node: &Arc<Node>, members: &Members, is_master: bool) -> Self {
        let now = node.state();
        // A replica is behind its master only while there is one.
        let can_lag = !is_master && members.is_master_up();
        Self {
            shard: shard.to_owned(),
            address: node.address.to_string(),
            node: Arc::clone(node),
            state: match (now.is_up(), now.is_connecting()) {
                (true, _) => LinkState::Up,
                (false, true) => LinkState::Connecting,
                (false, false) => LinkState::Down,
            },
            role: if is_master { NodeRole::Master } else { NodeRole::Replica },
            reports_master: reports_master(&now),
            lag_secs: node.lag().filter(|_| can_lag).map(|lag| lag.as_secs_f64()),
            lag_bytes: lag_bytes(members, node).filter(|_| can_lag),
            resources: node.resources.load_full(),
        }
    }

    /// Returns the labels of the node's metrics.
    pub fn labels(&self) -> [&str; 2] {
        [&self.shard, &self.address]
    }
}

/// Returns the distance between the offsets of a replica and its master, if both follow the same history.
fn lag_bytes(members: &Members, node: &Node) -> Option<u64> {
    let (master, replica) = (members.master()?.replication_info()?, node.replication_info()?);
    let comparable = master.role == ReplicationRole::Master && master.replication_id == replica.replication_id;
    comparable.then(|| master.offset.saturating_sub(replica.offset))
}
