//! The metrics of all shards and nodes.

use crate::{
    store::{
        node::resources::NodeResources,
        shard::{Shard, ShardHealth, node_snapshot::NodeSnapshot},
        shard_map::ShardMap,
    },
    telemetry::metrics::{Label, LinkState, Lookup, MetricsWriter, NodeRole, names},
};
use std::{collections::HashSet, fmt, sync::Arc};

/// The state of a shard at one time.
struct ShardSnapshot {
    shard: Arc<Shard>,
    health: ShardHealth,
}

impl ShardSnapshot {
    fn labels(&self) -> [&str; 1] {
        [&self.health.name]
    }
}

/// The value of one gauge.
type HealthValue = fn(&ShardHealth) -> usize;

/// The value of one counter.
type CounterValue = fn(&Shard) -> u64;

/// Writes the state of all shards and nodes of a map.
pub fn write(page: &mut MetricsWriter<'_>, map: &ShardMap) -> fmt::Result {
    let mut shards: Vec<ShardSnapshot> = Vec::new();
    // While a node moves from one shard to another, two shards may have the same name for a moment.
    let mut names = HashSet::new();
    for shard in map.connected_shards() {
        let snapshot = ShardSnapshot { shard: Arc::clone(shard), health: shard.health() };
        if names.insert(snapshot.health.name.clone()) {
            shards.push(snapshot);
        }
    }
    let nodes: Vec<NodeSnapshot> =
        shards.iter().flat_map(|snapshot| NodeSnapshot::of_shard(&snapshot.shard, &snapshot.health.name)).collect();
    write_shards(page, &shards)?;
    write_nodes(page, &nodes)
}

fn write_shards(page: &mut MetricsWriter<'_>, shards: &[ShardSnapshot]) -> fmt::Result {
    let gauges: [(_, HealthValue); 6] = [
        (&names::SHARD_READABLE, |health| usize::from(health.can_read())),
        (&names::SHARD_WRITABLE, |health| usize::from(health.can_write())),
        (&names::SHARD_SPLIT_BRAIN, |health| usize::from(health.split_brain)),
        (&names::SHARD_HELD, |health| usize::from(health.withholds_writes())),
        (&names::SHARD_REPLICAS, |health| health.replicas),
        (&names::SHARD_REPLICAS_READABLE, |health| health.replicas_up),
    ];
    for (name, value) in gauges {
        page.gauge(name, shards.iter().map(|snapshot| (snapshot.labels(), value(&snapshot.health))))?;
    }
    let counters: [(_, CounterValue); 2] = [
        (&names::PROMOTIONS, |shard| shard.promotions.get()),
        (&names::MASTERS_WITHOUT_DATA, |shard| shard.masters_without_data.get()),
    ];
    for (name, value) in counters {
        page.counter(name, shards.iter().map(|snapshot| (snapshot.labels(), value(&snapshot.shard))))?;
    }
    let failures = shards.iter().flat_map(|snapshot| {
        let failures = snapshot.shard.failures.rows();
        failures.map(|([cause], count)| ([&*snapshot.health.name, cause], count))
    });
    page.counter(&names::SHARD_FAILURES, failures)
}

fn write_nodes(page: &mut MetricsWriter<'_>, nodes: &[NodeSnapshot]) -> fmt::Result {
    let states = nodes.iter().flat_map(|now| {
        let states = LinkState::ALL.iter();
        states.map(|state| ([&*now.shard, &*now.address, state.name()], u64::from(*state == now.state)))
    });
    page.gauge(&names::NODE_STATE, states)?;
    let roles = nodes.iter().flat_map(|now| {
        let roles = NodeRole::ALL.iter();
        roles.map(|role| ([&*now.shard, &*now.address, role.name()], u64::from(*role == now.role)))
    });
    page.gauge(&names::NODE_ROLE, roles)?;
    page.gauge(&names::NODE_REPORTS_MASTER, nodes.iter().map(|now| (now.labels(), usize::from(now.reports_master))))?;
    page.gauge(&names::NODE_IN_FLIGHT, nodes.iter().map(|now| (now.labels(), now.node.in_flight())))?;
    page.gauge(&names::NODE_LAG, nodes.iter().filter_map(|now| Some((now.labels(), now.lag_secs?))))?;
    page.gauge(&names::NODE_LAG_BYTES, nodes.iter().filter_map(|now| Some((now.labels(), now.lag_bytes?))))?;
    page.counter(&names::NODE_CONNECTIONS, nodes.iter().map(|now| (now.labels(), now.node.connections_opened())))?;
    page.histogram(&names::NODE_DURATION, nodes.iter().map(|now| (now.labels(), now.node.metrics.durations.read())))?;
    let failures = nodes.iter().flat_map(|now| {
        now.node.metrics.failures.rows().map(|([cause], count)| ([&*now.shard, &*now.address, cause], count))
    });
    page.counter(&names::NODE_FAILURES, failures)?;
    write_resources(page, nodes)
}

/// Writes what the Redis processes report about themselves, where it is known.
fn write_resources(page: &mut MetricsWriter<'_>, nodes: &[NodeSnapshot]) -> fmt::Result {
    let known: Vec<([&str; 2], &NodeResources)> =
        nodes.iter().filter_map(|now| Some((now.labels(), &**now.resources.as_ref()?))).collect();
    page.gauge(&names::NODE_MEMORY, known.iter().map(|(labels, now)| (*labels, now.memory_bytes)))?;
    page.gauge(&names::NODE_MEMORY_MAX, known.iter().map(|(labels, now)| (*labels, now.memory_bytes_max)))?;
    page.gauge(&names::NODE_KEYS, known.iter().map(|(labels, now)| (*labels, now.keys)))?;
    page.counter(&names::NODE_EVICTED, known.iter().map(|(labels, now)| (*labels, now.evicted_keys)))?;
    page.counter(&names::NODE_EXPIRED, known.iter().map(|(labels, now)| (*labels, now.expired_keys)))?;
    let lookups = known.iter().flat_map(|([shard, node], now)| {
        [(Lookup::Hit, now.keyspace_hits), (Lookup::Miss, now.keyspace_misses)]
            .map(|(outcome, count)| ([*shard, *node, outcome.name()], count))
    });
    page.counter(&names::NODE_KEYSPACE, lookups)
}
