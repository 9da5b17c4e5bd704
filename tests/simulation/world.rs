//! The simulated world: its clock, its pending events, its network and its nodes.
//!
//! Everything that happens outside the store is an event at a millisecond of the paused clock. Events of one
//! millisecond happen in the order in which they were scheduled.

use crate::{cluster::ClusterRules, network::Network, redis::Node, sentinel::SentinelRules, truth::Truth};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{
    sync::Notify,
    time::{Instant, sleep_until},
};

/// Milliseconds since the start of the simulation.
pub type Ms = u64;
/// A thing that happens at a time.
pub type Event = Box<dyn FnOnce(&mut World) + Send>;

/// Everything outside the store.
pub struct World {
    pub now: Ms,
    pub network: Network,
    pub nodes: Vec<Node>,
    /// The node outside all shards, which has other data.
    pub stranger: usize,
    pub truth: Truth,
    pub sentinel_rules: SentinelRules,
    pub cluster_rules: ClusterRules,
    /// The shards of a cluster that keep their masters for now.
    pub stays_master: BTreeSet<usize>,
    /// The shards of a cluster that a story needs for itself.
    pub claimed: BTreeSet<usize>,
    /// The faults and roles so far, for the report of a failing seed.
    pub trace: Vec<String>,
    /// The trace has every command and every change at a replica.
    pub is_verbose: bool,
    events: BTreeMap<(Ms, u64), Event>,
    scheduled: u64,
    /// Notified when an event comes before the one that the driver sleeps for.
    earlier: Arc<Notify>,
}

impl World {
    pub fn new(seed: u64) -> Self {
        Self {
            now: 0,
            network: Network::new(seed),
            nodes: Vec::new(),
            stranger: 0,
            truth: Truth::default(),
            sentinel_rules: SentinelRules::default(),
            cluster_rules: ClusterRules::default(),
            stays_master: BTreeSet::new(),
            claimed: BTreeSet::new(),
            trace: Vec::new(),
            is_verbose: false,
            events: BTreeMap::new(),
            scheduled: 0,
            earlier: Arc::default(),
        }
    }

    /// Schedules an event.
    pub fn at(&mut self, time: Ms, event: impl FnOnce(&mut World) + Send + 'static) {
        let key = (time.max(self.now), self.scheduled);
        self.scheduled += 1;
        if self.events.first_key_value().is_none_or(|(first, _)| key < *first) {
            self.earlier.notify_one();
        }
        self.events.insert(key, Box::new(event));
    }

    /// Schedules an event `delay` from now.
    pub fn after(&mut self, delay: Ms, event: impl FnOnce(&mut World) + Send + 'static) {
        self.at(self.now + delay, event);
    }

    /// Adds a line to the trace.
    pub fn note(&mut self, line: &str) {
        let now = self.now;
        self.trace.push(format!("{now:>6} ms  -- {line}"));
    }

    /// Runs the events that are due. Returns the time of the next one.
    fn run_due(&mut self) -> Option<Ms> {
        while let Some(entry) = self.events.first_entry() {
            let time = entry.key().0;
            if time > self.now {
                return Some(time);
            }
            entry.remove()(self);
        }
        None
    }
}

/// A handle on the world.
pub struct Sim {
    world: Mutex<World>,
    start: Instant,
}

impl Sim {
    pub fn new(world: World) -> Arc<Self> {
        Arc::new(Self { world: Mutex::new(world), start: Instant::now() })
    }

    /// Returns the milliseconds since the start.
    pub fn now(&self) -> Ms {
        u64::try_from(self.start.elapsed().as_millis()).expect("a short simulation")
    }

    /// Runs `use_world` on the world as it is now.
    pub fn with<T>(&self, use_world: impl FnOnce(&mut World) -> T) -> T {
        let mut world = self.world.lock().unwrap_or_else(PoisonError::into_inner);
        world.now = self.now();
        use_world(&mut world)
    }

    /// Runs all events at their times. Never returns.
    pub async fn drive(self: Arc<Self>) {
        loop {
            let (next, earlier) = self.with(|world| (world.run_due(), Arc::clone(&world.earlier)));
            let next = self.start + Duration::from_millis(next.unwrap_or(1 << 40));
            tokio::select! {
                biased;
                () = earlier.notified() => {}
                () = sleep_until(next) => {}
            }
        }
    }
}
