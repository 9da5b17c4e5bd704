//! The setup of a simulation: its nodes, its network, and the settings of the stores.

use crate::{
    network::Host,
    redis::{Applied, Change, Node},
    rng::Rng,
    truth::Layout,
    world::{Ms, World},
};
use cachefront::{
    ring::{Ring, Weight},
    settings::{InspectionConfig, RedisConfig, RedisLoginConfig, ShardConfig, Topology},
    store::{self, Simulation, SyncTokenKey},
    types::Address,
};
use std::{sync::Arc, time::Duration};

/// The time that a change and the report of it are under way, besides the lag of replicas.
const STALENESS: Ms = 100;
/// The names of the shards.
const NAMES: [&str; 2] = ["a", "b"];
/// Nodes of a shard.
const NODES: usize = 3;

/// The kinds of scenarios.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// One shard that the settings list.
    Single,
    /// Reloads add a second shard and remove it again.
    Reloads,
    /// One shard whose nodes do not answer `INFO`.
    WithoutInfo,
    /// A Redis Cluster of two shards.
    Cluster,
}

/// The size of a simulation.
pub struct Setup {
    pub kind: Kind,
    pub instances: usize,
    pub keys: usize,
    pub has_near_cache: bool,
    /// Nothing goes wrong.
    pub is_calm: bool,
}

impl Setup {
    /// Draws the setup of a simulation.
    pub fn draw(rng: &mut Rng) -> Self {
        let kinds = [
            Kind::Single,
            Kind::Single,
            Kind::Single,
            Kind::Reloads,
            Kind::Reloads,
            Kind::WithoutInfo,
            Kind::Cluster,
            Kind::Cluster,
        ];
        Self {
            kind: kinds[rng.below(kinds.len())],
            instances: 1 + rng.below(2),
            keys: 2 + rng.below(4),
            has_near_cache: rng.chance(50),
            is_calm: rng.chance(5),
        }
    }

    /// Builds the world.
    pub fn build_world(&self, seed: u64, rng: &mut Rng) -> World {
        let mut world = World::new(rng.fork());
        let lag = [(0, 2), (1, 40), (20, 300)][rng.below(3)];
        world.truth.replication_lag = lag;
        let near = if self.has_near_cache { "with" } else { "without" };
        world.note(&format!("seed {seed}: {:?} {near} near cache, replication takes {lag:?} ms", self.kind));
        world.truth.has_near_cache = self.has_near_cache;
        world.truth.staleness_max = (self.is_calm && self.kind != Kind::Reloads).then_some(lag.1 + STALENESS);
        for shard in 0..self.kind.shards() {
            build_shard(&mut world, shard, self.keys);
            world.truth.layouts.push(self.kind.layout(shard + 1));
        }
        for instance in 0..self.instances {
            world.truth.reloads.push((0, instance, 0));
        }
        let mut stranger = Node::new(address(world.nodes.len()), usize::MAX);
        stranger.data.replid = world.truth.next_id();
        world.nodes.push(stranger);
        let view: Vec<_> = (0..self.kind.shards()).map(|shard| (shard * NODES, 1)).collect();
        for node in &mut world.nodes {
            node.allows_info = self.kind != Kind::WithoutInfo;
            node.view = (self.kind == Kind::Cluster).then(|| view.clone());
        }
        for instance in 0..self.instances {
            for node in 0..world.nodes.len() {
                let delay = [(0, 1), (0, 5), (2, 30)][rng.below(3)];
                world.network.link(Host::Instance(instance), Host::Node(node)).delay = delay;
            }
        }
        world
    }
}

impl Kind {
    /// Returns the number of shards that there are.
    pub fn shards(self) -> usize {
        if matches!(self, Self::Reloads | Self::Cluster) { 2 } else { 1 }
    }

    /// Returns the settings with the first `shards` shards.
    pub fn config(self, shards: usize, simulation: Option<Arc<dyn Simulation>>) -> OwnedConfig {
        let listed = (0..shards).map(|shard| ShardConfig {
            name: NAMES[shard].to_owned(),
            weight: Weight::ONE,
            master: address(shard * NODES),
            replicas: (1..NODES).map(|number| address(shard * NODES + number)).collect(),
        });
        let topology = match self {
            Self::Cluster => Topology::Cluster((0..self.shards() * NODES).map(address).collect()),
            _ => Topology::Static(listed.collect()),
        };
        OwnedConfig { topology, redis: Arc::new(redis_config()), login: RedisLoginConfig::default(), simulation }
    }

    /// Returns the rule that leads from a key to one of the first `shards` shards.
    fn layout(self, shards: usize) -> Layout {
        match self {
            Self::Cluster => Layout::Slots(self.shards()),
            _ => Layout::Ring(Ring::new(NAMES.iter().take(shards).map(|name| (*name, Weight::ONE)))),
        }
    }
}

/// The settings of a store.
pub struct OwnedConfig {
    topology: Topology,
    redis: Arc<RedisConfig>,
    login: RedisLoginConfig,
    simulation: Option<Arc<dyn Simulation>>,
}

impl OwnedConfig {
    pub fn borrowed(&self) -> store::Config<'_> {
        store::Config {
            inspection: InspectionConfig::default(),
            topology: &self.topology,
            redis: &self.redis,
            login: &self.login,
            sync_token_key: SyncTokenKey::new(b"the key of all instances"),
            simulation: self.simulation.clone(),
        }
    }
}

/// Returns the address of a node.
fn address(node: usize) -> Address {
    Address { host: format!("10.0.0.{}", node + 1), port: 6379 }
}

/// Adds the nodes of a shard. All of them have a value under every key.
fn build_shard(world: &mut World, shard: usize, keys: usize) {
    let master = world.nodes.len();
    let replid = world.truth.next_id();
    for number in 0..NODES {
        let mut node = Node::new(address(world.nodes.len()), shard);
        node.data.replid = replid;
        for key in 0..keys {
            let value = Some(u32::try_from(shard * 100 + key).expect("small"));
            let change = Change { key: format!("key{key}"), value, expires_at: None, instance: usize::MAX };
            node.data.write(Applied { change: Some(change), time: 0, end: 50 * (key as u64 + 1) });
        }
        world.nodes.push(node);
        let node = master + number;
        world.save(node);
        world.start_pings(node);
        if number == 0 {
            world.begin_branch(node);
            world.accept(node);
        } else {
            world.replicate_from(node, master);
        }
    }
}

fn redis_config() -> RedisConfig {
    RedisConfig {
        db: 0,
        connections_per_node: 1,
        connect_timeout: Duration::from_secs(1),
        attempt_timeout: Duration::from_millis(250),
        probe_every: Duration::from_millis(250),
        in_flight_max: 10_000,
        hedge_reads: false,
        replica_stale_max: Some(Duration::from_secs(300)),
        master_hold: Duration::from_secs(30),
    }
}
