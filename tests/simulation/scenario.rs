//! One simulation from its seed: the nodes, the instances, the clients and the stories, and the history that results.

use crate::{
    checker::{self, Promise, Violation},
    clients::{Caller, Shared},
    frontend::{Frontend, near_values},
    history::{Action, Answer, Record, Wanted},
    plan::Plan,
    rng::Rng,
    setup::{Kind, Setup},
    stories::Storyteller,
    stream::InstanceNetwork,
    world::{Ms, Sim},
};
use cachefront::{
    cache::NearValues,
    store::{Freshness, Store},
};
use std::{
    env, mem,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::time::sleep;

/// The time during which clients ask and things go wrong.
const DURATION: Ms = 8000;
/// The time after which everything has to work again.
const RECOVERY: Duration = Duration::from_secs(4);
/// The result of a simulation.
pub struct Run {
    pub records: Vec<Record>,
    pub trace: Vec<String>,
    pub violations: Vec<Violation>,
}

/// Runs a simulation.
pub fn run(plan: Plan) -> Run {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    // The scenario is made inside the runtime, whose clock is paused.
    runtime.expect("a runtime without network").block_on(async { Scenario::new(plan).run().await })
}

struct Scenario {
    plan: Plan,
    setup: Setup,
    sim: Arc<Sim>,
    shared: Arc<Shared>,
}

impl Scenario {
    fn new(plan: Plan) -> Self {
        let setup = Setup::draw(plan);
        let mut world = setup.build_world(plan);
        world.is_verbose = env::var("TRACE").is_ok();
        Self { plan, setup, sim: Sim::new(world), shared: Arc::default() }
    }

    async fn run(self) -> Run {
        let driver = tokio::spawn(Arc::clone(&self.sim).drive());
        let stores: Vec<Frontend> = (0..self.setup.instances).map(|instance| self.start_instance(instance)).collect();
        let running: Vec<_> =
            stores.iter().map(|frontend| tokio::spawn(frontend.store.clone().run(Vec::new()))).collect();
        sleep(Duration::from_millis(100)).await;
        let mut tasks = Vec::new();
        let shards = self.setup.kind.shards();
        // Every second scenario with reloads has no other faults.
        let is_calm =
            self.setup.is_calm || (self.setup.kind == Kind::Reloads && self.plan.stream("calm", 0).chance(50));
        let told = if is_calm { 0 } else { shards };
        for shard in 0..told {
            let sim = Arc::clone(&self.sim);
            let Setup { kind, instances, .. } = self.setup;
            let teller = Storyteller::new(sim, self.plan, kind, shard, instances, DURATION);
            tasks.push(tokio::spawn(teller.run()));
        }
        if self.setup.kind == Kind::Reloads {
            for (instance, store) in stores.iter().enumerate() {
                tasks.push(tokio::spawn(reload(
                    Arc::clone(&self.sim),
                    self.plan.stream("reloads", instance),
                    instance,
                    store.store.clone(),
                )));
            }
        }
        for (number, store) in stores.iter().cycle().take(3.max(self.setup.instances * 2)).enumerate() {
            tasks.push(tokio::spawn(self.caller(number, number % self.setup.instances, store).run()));
        }
        for task in tasks {
            task.await.expect("no task of a simulation fails");
        }
        self.sim.with(|world| world.repair_all(self.setup.instances));
        sleep(RECOVERY).await;
        let recovery = self.check_recovery(&stores).await;
        driver.abort();
        stores.iter().for_each(Frontend::end);
        running.iter().for_each(tokio::task::JoinHandle::abort);
        let records = mem::take(&mut *self.shared.records.lock().unwrap_or_else(PoisonError::into_inner));
        self.sim.with(|world| {
            let mut violations = checker::check(world, &records);
            violations.extend(recovery);
            Run { violations, trace: mem::take(&mut world.trace), records }
        })
    }

    fn caller(&self, number: usize, instance: usize, frontend: &Frontend) -> Caller {
        Caller {
            sim: Arc::clone(&self.sim),
            think_max: [10, 40, 100][self.plan.stream("think", number).below(3)],
            rng: self.plan.stream("client", number),
            number,
            instance,
            frontend: frontend.clone(),
            shared: Arc::clone(&self.shared),
            keys: self.setup.keys,
            spares_kept_key: self.setup.kind == Kind::WithoutInfo,
            end: DURATION,
        }
    }

    fn start_instance(&self, instance: usize) -> Frontend {
        let rng = self.plan.stream("instance", instance);
        let network = InstanceNetwork { sim: Arc::clone(&self.sim), instance, rng: Mutex::new(rng) };
        let config = self.setup.kind.config(1, Some(Arc::new(network)));
        let near = self.setup.has_near_cache.then(|| near_values(self.plan.stream("near cache", instance).next()));
        let on_invalidation = near.as_ref().map(NearValues::invalidation_handler);
        let store = Store::new(config.borrowed(), on_invalidation, Arc::default()).expect("no certificates");
        Frontend::new(store, near)
    }

    /// Returns what does not work though everything was repaired.
    async fn check_recovery(&self, stores: &[Frontend]) -> Vec<Violation> {
        let mut violations = Vec::new();
        for (instance, store) in stores.iter().enumerate() {
            let mut caller = self.caller(100 + instance, instance, store);
            for key in (0..self.setup.keys).map(|key| format!("key{key}")) {
                let value = self.shared.next_value();
                let write = Action::Write { value, ttl_secs: None, replicas: 0 };
                let changed = caller.change(key.clone(), write).await;
                let strict = caller.run_one(key.clone(), Action::Read(Wanted::Strict), Freshness::Master).await;
                let own = caller.run_one(key.clone(), Action::Read(Wanted::Own), Freshness::ReadYourWrites).await;
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

/// Applies other settings to an instance again and again.
async fn reload(sim: Arc<Sim>, mut rng: Rng, instance: usize, store: Store) {
    let mut layout = 0;
    while sim.now() < DURATION {
        sleep(Duration::from_millis(rng.range((20, 900)))).await;
        layout = 1 - layout;
        store.apply(Kind::Reloads.config(layout + 1, None).borrowed()).expect("no certificates");
        sim.with(|world| {
            world.note(&format!("instance {instance} has {} shards", layout + 1));
            world.truth.reloads.push((world.now, instance, layout));
        });
    }
}
