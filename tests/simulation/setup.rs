//! The setup of a simulation: its nodes, its network, and the settings of the stores.

use crate::{
    cluster::{ClusterNode, View, shard_of},
    network::Host,
    plan::Plan,
    redis::{Applied, Change, Node},
    sentinel::{MASTER_NAME, Sentinel},
    truth::Layout,
    world::{Ms, World},
};
use cachefront::{
    ring::{Ring, Weight},
    settings::{
        InspectionConfig, RedisConfig, RedisLoginConfig, SentinelShardConfig, SentinelsConfig, ShardConfig, Topology,
    },
    store::{self, Simulation, SyncTokenKey},
    types::Address,
};
use std::{sync::Arc, time::Duration};

/// The time that a change and the report of it are under way, besides the lag of replicas.
const STALENESS: Ms = 100;
/// The names of the shards.
const NAMES: [&str; 3] = ["a", "b", "c"];
/// Nodes of a shard.
const NODES: usize = 3;
/// Sentinels of a scenario with sentinels.
const SENTINELS: usize = 3;

/// The kinds of scenarios.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// One shard that the settings list.
    Single,
    /// Reloads add a second shard and remove it again.
    Reloads,
    /// One shard whose nodes do not answer `INFO`.
    WithoutInfo,
    /// A Redis Cluster of three shards, the last of which has no replicas.
    Cluster,
    /// One shard that three sentinels watch.
    Sentinels,
}

/// The kinds of scenarios, with the edition from which on they are drawn. A kind that is listed twice is drawn twice as
/// often.
const KINDS: [(u32, Kind); 10] = [
    (1, Kind::Single),
    (1, Kind::Single),
    (1, Kind::Single),
    (1, Kind::Reloads),
    (1, Kind::Reloads),
    (1, Kind::WithoutInfo),
    (1, Kind::Cluster),
    (1, Kind::Cluster),
    (1, Kind::Sentinels),
    (1, Kind::Sentinels),
];

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
    pub fn draw(plan: Plan) -> Self {
        let kinds: Vec<Kind> =
            KINDS.iter().filter(|(since, _)| *since <= plan.edition).map(|(_, kind)| *kind).collect();
        let mut rng = plan.stream("setup", 0);
        Self {
            kind: kinds[plan.stream("kind", 0).below(kinds.len())],
            instances: 1 + rng.below(2),
            keys: 2 + rng.below(4),
            has_near_cache: rng.chance(50),
            is_calm: rng.chance(5),
        }
    }

    /// Builds the world.
    pub fn build_world(&self, plan: Plan) -> World {
        let mut world = World::new(plan.seed);
        let mut rng = plan.stream("world", 0);
        let lag = [(0, 2), (1, 40), (20, 300)][rng.below(3)];
        world.truth.replication_lag = lag;
        let near = if self.has_near_cache { "with" } else { "without" };
        world.note(&format!("{plan:?}: {:?} {near} near cache, replication takes {lag:?} ms", self.kind));
        world.truth.has_near_cache = self.has_near_cache;
        world.truth.staleness_max = (self.is_calm && self.kind != Kind::Reloads).then_some(lag.1 + STALENESS);
        for shard in 0..self.kind.shards() {
            world.truth.layouts.push(self.kind.layout(shard + 1));
            // Outside a cluster any shard may have any key.
            let shards = self.kind.shards();
            let keys = (0..self.keys).map(|key| format!("key{key}"));
            let keys: Vec<_> =
                keys.filter(|key| self.kind != Kind::Cluster || shard_of(key, shards) == shard).collect();
            build_shard(&mut world, plan, shard, &keys);
        }
        world.truth.keys = (0..self.keys).map(|key| format!("key{key}")).collect();
        for instance in 0..self.instances {
            world.truth.reloads.push((0, instance, 0));
        }
        world.stranger = world.nodes.len();
        let mut stranger = new_node(plan, world.stranger, usize::MAX);
        stranger.data.replid = world.truth.next_id();
        world.nodes.push(stranger);
        if self.kind == Kind::Sentinels {
            build_sentinels(&mut world, plan);
        }
        for node in &mut world.nodes {
            node.allows_info = self.kind != Kind::WithoutInfo;
        }
        if self.kind == Kind::Cluster {
            build_cluster(&mut world, plan);
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
        match self {
            Self::Cluster => 3,
            Self::Reloads => 2,
            _ => 1,
        }
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
            Self::Cluster => Topology::Cluster((0..=2 * NODES).map(address).collect()),
            Self::Sentinels => Topology::Sentinel(sentinels_config()),
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

fn new_node(plan: Plan, number: usize, shard: usize) -> Node {
    Node::new(plan.stream("node", number), address(number), shard)
}

/// Returns the address of a node.
fn address(node: usize) -> Address {
    Address { host: format!("10.0.0.{}", node + 1), port: 6379 }
}

/// Adds the nodes of a shard. All of them have a value under every one of these keys.
fn build_shard(world: &mut World, plan: Plan, shard: usize, keys: &[String]) {
    let master = world.nodes.len();
    let replid = world.truth.next_id();
    // A cluster of three masters can vote; the third one is there for that.
    let nodes = if shard == 2 { 1 } else { NODES };
    for number in 0..nodes {
        let mut node = new_node(plan, world.nodes.len(), shard);
        node.data.replid = replid;
        for (number, key) in keys.iter().enumerate() {
            let value = Some(u32::try_from(shard * 100 + number).expect("small"));
            let change = Change { key: key.as_str().into(), value, expires_at: None, instance: usize::MAX };
            node.data.write(Applied { change: Some(change), time: 0, end: 50 * (number as u64 + 1) });
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
            world.nodes[node].ran_replicaof = false;
        }
    }
}

/// Makes all nodes of the shards nodes of one cluster.
fn build_cluster(world: &mut World, plan: Plan) {
    let mut rng = plan.stream("cluster", 0);
    world.cluster_rules.node_timeout = [300, 600, 1200][rng.below(3)];
    world.cluster_rules.reads_when_down = rng.chance(50);
    let view = View::new((0..Kind::Cluster.shards()).map(|shard| shard * NODES).collect());
    for node in 0..world.stranger {
        world.nodes[node].cluster = Some(Box::new(ClusterNode::new(view.clone())));
        world.nodes[node].ran_replicaof = false;
        world.start_cluster_node(node);
    }
}

/// Adds the sentinels behind all other nodes.
fn build_sentinels(world: &mut World, plan: Plan) {
    world.sentinel_rules.down_after = [200, 500, 1000][plan.stream("sentinels", 0).below(3)];
    for _ in 0..SENTINELS {
        let number = world.nodes.len();
        let mut node = new_node(plan, number, usize::MAX);
        node.sentinel = Some(Box::new(Sentinel::new(0)));
        world.nodes.push(node);
        world.start_sentinel(number);
    }
}

fn sentinels_config() -> SentinelsConfig {
    // They come after the nodes of the shard and the node with other data.
    let addresses = (NODES + 1..=NODES + SENTINELS).map(address).collect();
    let shard =
        SentinelShardConfig { name: NAMES[0].to_owned(), weight: Weight::ONE, master_name: MASTER_NAME.to_owned() };
    SentinelsConfig { addresses, login: RedisLoginConfig::default(), shards: vec![shard] }
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
