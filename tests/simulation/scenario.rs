//! One simulation from its seed: the nodes, the instances, the clients and the stories, and the history that results.

use crate::{
    checker::{self, Promise, Violation},
    clients::{Caller, Shared},
    history::{Action, Answer, Record, Wanted},
    network::Host,
    redis::{Applied, Change, Node},
    rng::Rng,
    stories::Storyteller,
    stream::InstanceNetwork,
    world::{Ms, Sim, World},
};
use cachefront::{
    ring::Weight,
    settings::{RedisConfig, ShardConfig, Topology},
    store::{self, Freshness, Store, SyncTokenKey},
    types::Address,
};
use std::{
    mem,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::time::sleep;

/// The time during which clients ask and things go wrong.
const DURATION: Ms = 8000;
/// The time after which everything has to work again.
const RECOVERY: Duration = Duration::from_secs(4);
/// Nodes of a shard.
const NODES: usize = 3;

/// The result of a simulation.
pub struct Run {
    pub records: Vec<Record>,
    pub trace: Vec<String>,
    pub violations: Vec<Violation>,
}

/// Runs the simulation of a seed.
pub fn run(seed: u64) -> Run {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.expect("a runtime without network").block_on(Scenario::new(seed).run())
}

struct Scenario {
    rng: Rng,
    sim: Arc<Sim>,
    shared: Arc<Shared>,
    instances: usize,
    keys: usize,
}

impl Scenario {
    fn new(seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let mut world = World::new(rng.fork());
        let lag = [(0, 2), (1, 40), (20, 300)][rng.below(3)];
        world.truth.replication_lag = lag;
        world.note(&format!("seed {seed}: replication takes {lag:?} ms"));
        let (instances, keys) = (1 + rng.below(2), 2 + rng.below(4));
        build_shard(&mut world, 0, keys);
        let mut stranger = Node::new(address(world.nodes.len()), usize::MAX);
        stranger.data.replid = world.truth.next_id();
        world.nodes.push(stranger);
        for instance in 0..instances {
            for node in 0..world.nodes.len() {
                let delay = [(0, 1), (0, 5), (2, 30)][rng.below(3)];
                world.network.link(Host::Instance(instance), Host::Node(node)).delay = delay;
            }
        }
        Self { rng, sim: Sim::new(world), shared: Arc::default(), instances, keys }
    }

    async fn run(mut self) -> Run {
        let driver = tokio::spawn(Arc::clone(&self.sim).drive());
        let stores: Vec<Store> = (0..self.instances).map(|instance| self.start_instance(instance)).collect();
        let running: Vec<_> = stores.iter().map(|store| tokio::spawn(store.clone().run(Vec::new()))).collect();
        sleep(Duration::from_millis(100)).await;
        let teller = self.storyteller();
        let mut tasks = vec![tokio::spawn(teller.run())];
        for (number, store) in stores.iter().cycle().take(3.max(self.instances * 2)).enumerate() {
            tasks.push(tokio::spawn(self.caller(number, number % self.instances, store).run()));
        }
        for task in tasks {
            task.await.expect("no task of a simulation fails");
        }
        self.sim.with(|world| world.repair_all(self.instances));
        sleep(RECOVERY).await;
        let recovery = self.check_recovery(&stores).await;
        driver.abort();
        running.iter().for_each(tokio::task::JoinHandle::abort);
        let records = mem::take(&mut *self.shared.records.lock().unwrap_or_else(PoisonError::into_inner));
        self.sim.with(|world| {
            let mut violations = checker::check(world, &records);
            violations.extend(recovery);
            Run { violations, trace: mem::take(&mut world.trace), records }
        })
    }

    fn storyteller(&mut self) -> Storyteller {
        let (sim, rng) = (Arc::clone(&self.sim), self.rng.fork());
        let stranger = sim.with(|world| world.nodes.len() - 1);
        Storyteller { sim, rng, shard: 0, instances: self.instances, stranger, end: DURATION }
    }

    fn caller(&mut self, number: usize, instance: usize, store: &Store) -> Caller {
        Caller {
            sim: Arc::clone(&self.sim),
            rng: self.rng.fork(),
            number,
            instance,
            store: store.clone(),
            shared: Arc::clone(&self.shared),
            keys: self.keys,
            end: DURATION,
            think_max: [10, 40, 100][self.rng.below(3)],
        }
    }

    fn start_instance(&mut self, instance: usize) -> Store {
        let network = InstanceNetwork { sim: Arc::clone(&self.sim), instance, rng: Mutex::new(self.rng.fork()) };
        let config = store::Config {
            inspection: cachefront::settings::InspectionConfig::default(),
            topology: &Topology::Static(vec![ShardConfig {
                name: "a".to_owned(),
                weight: Weight::ONE,
                master: address(0),
                replicas: (1..NODES).map(address).collect(),
            }]),
            redis: &Arc::new(redis_config()),
            sync_token_key: SyncTokenKey::new(b"the key of all instances"),
            simulation: Some(Arc::new(network)),
        };
        Store::new(config, None, Arc::default()).expect("no certificates")
    }

    /// Returns what does not work though everything was repaired.
    async fn check_recovery(&mut self, stores: &[Store]) -> Vec<Violation> {
        let mut violations = Vec::new();
        for (instance, store) in stores.iter().enumerate() {
            let mut caller = self.caller(100 + instance, instance, store);
            for key in (0..self.keys).map(|key| format!("key{key}")) {
                let value = self.shared.next_value();
                let write = Action::Write { value, ttl_secs: None, replicas: 0 };
                let changed = caller.change(key.clone(), write).await;
                let strict = caller.read_as(key.clone(), Wanted::Strict, Freshness::Master).await;
                let own = caller.read_as(key.clone(), Wanted::Own, Freshness::ReadYourWrites).await;
                let expected = Answer::Value(Some(value));
                if changed != Answer::Done || strict != expected || own != expected {
                    let record = self.shared.records.lock().unwrap_or_else(PoisonError::into_inner).len() - 1;
                    let reason = format!("{key}: {changed:?}, {strict:?}, {own:?}");
                    violations.push(Violation { promise: Promise::Recovery, record, reason });
                }
            }
        }
        violations
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
            let value = Some(u32::try_from(key).expect("small"));
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
        username: None,
        password: None,
        db: 0,
        tls: None,
        connections_per_node: 1,
        connect_timeout: Duration::from_secs(1),
        attempt_timeout: Duration::from_millis(250),
        probe_every: Duration::from_millis(250),
        in_flight_max: 10_000,
        hedge_reads: false,
        master_hold: Duration::from_secs(30),
        replica_stale_max: Some(Duration::from_secs(300)),
    }
}
