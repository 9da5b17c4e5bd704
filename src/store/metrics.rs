//! What is counted in the store, and how its shards and nodes are, for whoever asks.

use crate::{
    store::{
        Store, StoreCore,
        consistency::ReadRequirement,
        node::{Node, replication::ReplicationRole},
        shard::{Attempts, Shard, ShardHealth, members::Members},
    },
    telemetry::metrics::{Label, LinkState, MetricsWriter, NodeRole, names},
};
use std::{collections::HashSet, fmt, sync::Arc};

/// A shard at one time.
struct ShardReading {
    shard: Arc<Shard>,
    health: ShardHealth,
}

/// A node at one time.
pub(super) struct NodeReading {
    shard: String,
    pub address: String,
    pub node: Arc<Node>,
    pub state: LinkState,
    pub role: NodeRole,
    pub lag_secs: Option<f64>,
    pub lag_bytes: Option<u64>,
}

impl NodeReading {
    fn labels(&self) -> [&str; 2] {
        [&self.shard, &self.address]
    }
}

impl StoreCore {
    /// Counts a read that another node answered than the one its key is drawn to.
    pub(super) fn record_fallback(&self, shard: &Shard, wish: &ReadRequirement, tried: &Attempts, node: &Node) {
        if let Some(cause) = shard.fallback_cause(wish, tried, node) {
            self.metrics.fallbacks.count(cause);
        }
    }
}

impl Store {
    /// Writes how all shards and nodes are. What is gone is not looked at, and so not shown.
    pub fn write_metrics(&self, page: &mut MetricsWriter<'_>) -> fmt::Result {
        let map = self.0.map.load_full();
        // A node may be on its way from one shard to another; nothing may be shown twice.
        let mut seen = HashSet::new();
        let shards =
            map.connected_shards().map(|shard| ShardReading { shard: Arc::clone(shard), health: shard.health() });
        let shards: Vec<ShardReading> = shards.filter(|now| seen.insert(now.health.name.clone())).collect();
        let nodes: Vec<NodeReading> = shards.iter().flat_map(|now| nodes(&now.shard, &now.health.name)).collect();
        write_shards(page, &shards)?;
        write_nodes(page, &nodes)
    }
}

/// The nodes of a shard, as they are now.
pub(super) fn nodes(shard: &Shard, name: &str) -> Vec<NodeReading> {
    let members = shard.members();
    let now = |(position, node): (usize, &Arc<Node>)| {
        let is_master = members.master_position() == Some(position);
        NodeReading {
            shard: name.to_owned(),
            address: node.address.to_string(),
            node: Arc::clone(node),
            state: match (node.is_up(), node.is_connecting()) {
                (true, _) => LinkState::Up,
                (false, true) => LinkState::Connecting,
                (false, false) => LinkState::Down,
            },
            role: if is_master { NodeRole::Master } else { NodeRole::Replica },
            lag_secs: node.lag().filter(|_| !is_master).map(|lag| lag.as_secs_f64()),
            lag_bytes: lag_bytes(&members, node).filter(|_| !is_master),
        }
    };
    members.nodes().iter().enumerate().map(now).collect()
}

/// How far a replica's offset is behind its master's, where both tell of the same history.
fn lag_bytes(members: &Members, node: &Node) -> Option<u64> {
    let (master, replica) = (members.master()?.replication_info()?, node.replication_info()?);
    let comparable = master.role == ReplicationRole::Master && master.replication_id == replica.replication_id;
    comparable.then(|| master.offset.saturating_sub(replica.offset))
}

fn write_shards(page: &mut MetricsWriter<'_>, shards: &[ShardReading]) -> fmt::Result {
    let rows =
        |read: fn(&ShardHealth) -> usize| shards.iter().map(move |now| ([now.health.name.as_str()], read(&now.health)));
    page.gauge(&names::SHARD_READABLE, rows(|health| usize::from(health.can_read())))?;
    page.gauge(&names::SHARD_WRITABLE, rows(|health| usize::from(health.master_up)))?;
    page.gauge(&names::SHARD_CONTESTED, rows(|health| usize::from(health.split_brain)))?;
    page.gauge(&names::SHARD_REPLICAS, rows(|health| health.replicas))?;
    page.gauge(&names::SHARD_REPLICAS_READABLE, rows(|health| health.replicas_up))?;
    let promotions = shards.iter().map(|now| ([now.health.name.as_str()], now.shard.promotions.get()));
    page.counter(&names::PROMOTIONS, promotions)
}

fn write_nodes(page: &mut MetricsWriter<'_>, nodes: &[NodeReading]) -> fmt::Result {
    let states = nodes.iter().flat_map(|now| {
        let row = |state: &LinkState| ([&*now.shard, &*now.address, state.name()], u64::from(*state == now.state));
        LinkState::ALL.iter().map(row)
    });
    page.gauge(&names::NODE_STATE, states)?;
    let roles = nodes.iter().flat_map(|now| {
        let row = |role: &NodeRole| ([&*now.shard, &*now.address, role.name()], u64::from(*role == now.role));
        NodeRole::ALL.iter().map(row)
    });
    page.gauge(&names::NODE_ROLE, roles)?;
    page.gauge(&names::NODE_IN_FLIGHT, nodes.iter().map(|now| (now.labels(), now.node.in_flight())))?;
    page.gauge(&names::NODE_LAG, nodes.iter().filter_map(|now| Some((now.labels(), now.lag_secs?))))?;
    page.gauge(&names::NODE_LAG_BYTES, nodes.iter().filter_map(|now| Some((now.labels(), now.lag_bytes?))))?;
    page.counter(&names::NODE_CONNECTIONS, nodes.iter().map(|now| (now.labels(), now.node.connections_opened())))?;
    page.histogram(&names::NODE_DURATION, nodes.iter().map(|now| (now.labels(), &now.node.durations)))?;
    let failures = nodes
        .iter()
        .flat_map(|now| now.node.failures.rows().map(|([cause], count)| ([&*now.shard, &*now.address, cause], count)));
    page.counter(&names::NODE_FAILURES, failures)
}
