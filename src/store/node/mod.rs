//! One Redis node: its connections, the queue for its answers, and what is known of it.

pub mod connect;
pub mod connection;
pub mod connection_class;
pub mod connection_task;
mod in_flight;
pub mod replication;
pub mod resolver;
mod state;
pub mod tracking;
pub mod wait_connections;

use crate::{
    ring::node_seed,
    settings,
    store::{
        consistency::{Clock, Moment, Progress},
        error::NodeError,
        node::connect::{Login, Target},
        node::replication::Standing,
        node::{
            connection::{Link, Patience, Session},
            connection_class::Lane,
            tracking::{Forget, Source, Tracking},
            wait_connections::Durable,
        },
    },
    telemetry::{
        events::Events,
        metrics::{Counters, Histogram, NodeFailure},
        traces,
    },
    types::{Address, Deadline, worker},
};
use redis::{Cmd, Pipeline, Value, aio::ConnectionLike};
use std::{
    pin::pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::{
    sync::{Notify, watch},
    time::timeout,
};
use tracing::Instrument;

/// Tells nodes apart, also when one took the address of another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(u64);

impl NodeId {
    pub fn number(self) -> u64 {
        self.0
    }
}

/// What all nodes have in common.
#[derive(Clone, Default)]
pub struct Surroundings {
    pub clock: Clock,
    /// Told of keys that change, where anybody wants to know.
    pub forget: Option<Forget>,
    /// Where what happens to nodes is noted.
    pub events: Arc<Events>,
}

/// What the nodes of a shard have in common.
#[derive(Clone, Default)]
pub struct Common {
    /// Told whenever one of them changes.
    pub changed: Arc<watch::Sender<()>>,
    /// How far their master's writing has come.
    pub progress: Arc<Progress>,
    pub around: Surroundings,
    /// They are nodes of a Redis Cluster; this is told when one of them is lost or turns into something else.
    pub cluster: Option<Arc<Notify>>,
}

pub struct Node {
    pub id: NodeId,
    pub address: Address,
    /// For the rendezvous choice among replicas.
    pub seed: u64,
    pub target: Target,
    pub connect_timeout: Duration,
    /// How long it may answer nobody before it is given up for another node.
    pub attempt_timeout: Duration,
    links: Box<[Link]>,
    /// For large values.
    bulk: Link,
    bulk_wanted: Notify,
    durable: Durable,
    in_flight: AtomicUsize,
    /// How long its answers took, ...
    pub durations: Histogram,
    /// ... and why there were none.
    pub failures: Counters<NodeFailure>,
    in_flight_max: usize,
    probe_every: Duration,
    /// Asks for a probe before its time.
    doubted: Notify,
    /// Connections that it has had.
    connections: AtomicU64,
    /// Told when somebody needs it though it is down.
    needed: Notify,
    /// What it last said of itself; `None` if it does not tell.
    standing: Mutex<Option<Standing>>,
    /// What that means for reads, where a request looks: whether it is a replica that has its data, ...
    serves_reads: AtomicBool,
    /// ... whether its master is out of its reach, so that it falls behind, ...
    detached: AtomicBool,
    /// ... for longer than is allowed, ...
    stale: AtomicBool,
    /// ... whether its data is that of its shard's master, and not of another one that it still follows, ...
    in_line: AtomicBool,
    /// ... whether it is known not to have its data, ...
    lacks_data: AtomicBool,
    /// ... whether it calls itself a replica, ...
    is_replica: AtomicBool,
    /// ... and the moment until which it has all changes, in milliseconds.
    passed: AtomicU64,
    /// When it was asked what it last answered, in milliseconds.
    last_asked: AtomicU64,
    stale_max: Option<Duration>,
    around: Surroundings,
    /// It may move to another shard.
    common: Mutex<Common>,
}

impl Node {
    /// The error says what is wrong with the certificates for Redis.
    pub fn new(address: &Address, redis: &settings::Redis, common: &Common) -> Result<Self, String> {
        static IDS: AtomicU64 = AtomicU64::new(0);
        Ok(Self {
            id: NodeId(IDS.fetch_add(1, Relaxed)),
            address: address.clone(),
            seed: node_seed(&address.to_string()),
            target: Target::new(address, &Login::to_nodes(redis), redis.connect_timeout)?,
            connect_timeout: redis.connect_timeout,
            attempt_timeout: redis.attempt_timeout,
            links: (0..redis.connections_per_node).map(|_| Link::default()).collect(),
            bulk: Link::default(),
            bulk_wanted: Notify::new(),
            durable: Durable::default(),
            in_flight: AtomicUsize::new(0),
            durations: Histogram::default(),
            failures: Counters::default(),
            in_flight_max: redis.in_flight_max,
            probe_every: redis.probe_every,
            doubted: Notify::new(),
            connections: AtomicU64::new(0),
            needed: Notify::new(),
            standing: Mutex::new(None),
            serves_reads: AtomicBool::new(true),
            detached: AtomicBool::new(false),
            stale: AtomicBool::new(false),
            in_line: AtomicBool::new(true),
            lacks_data: AtomicBool::new(false),
            is_replica: AtomicBool::new(false),
            passed: AtomicU64::new(0),
            last_asked: AtomicU64::new(0),
            stale_max: redis.replica_stale_max,
            around: common.around.clone(),
            common: Mutex::new(common.clone()),
        })
    }

    /// Makes it one of the nodes that have this in common.
    pub fn join(&self, common: &Common) {
        let mut own = self.common();
        if !Arc::ptr_eq(&own.changed, &common.changed) {
            *own = common.clone();
            // What it has of another master's changes says nothing here.
            self.passed.store(0, Relaxed);
        }
    }

    fn common(&self) -> MutexGuard<'_, Common> {
        self.common.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn in_cluster(&self) -> bool {
        self.common().cluster.is_some()
    }

    /// Has the cluster's nodes asked anew: with this one something has happened.
    pub fn alarm(&self) {
        if let Some(alarm) = &self.common().cluster {
            alarm.notify_one();
        }
    }

    /// Sends one command.
    pub async fn ask(&self, command: &Cmd, lane: Lane, patience: Patience) -> Result<Value, NodeError> {
        let ask = async |session: &Session| {
            session.ask(patience, |mut connection| async move { connection.req_packed_command(command).await }).await
        };
        self.over(self.session(lane), 1, ask).await
    }

    /// As [`Node::ask`], with `tracked` in place of the command where the node tells of changes: that command is
    /// between the request to track it and a question, whose answer comes back with where both came from.
    pub async fn ask_tracked(
        &self,
        command: &Cmd,
        tracked: &Pipeline,
        lane: Lane,
        patience: Patience,
    ) -> Result<(Value, Option<(Source, Value)>), NodeError> {
        let session = self.session(lane);
        let source = session.as_ref().ok().and_then(|session| session.tracking()).map(|tracking| self.source(tracking));
        let Some(source) = source else {
            return self.ask(command, lane, patience).await.map(|value| (value, None));
        };
        let ask = async |session: &Session| {
            let answers = session
                .ask(patience, |mut connection| async move { connection.req_packed_commands(tracked, 0, 3).await })
                .await?;
            match <[Value; 3]>::try_from(answers) {
                Ok([Value::Okay, value, other]) => Ok((value, Some((source, other)))),
                Ok([_, value, _]) => Ok((value, None)),
                Err(_) => Err(NodeError::Unexpected),
            }
        };
        self.over(session, 3, ask).await
    }

    fn source(&self, tracking: &Arc<Tracking>) -> Source {
        let covers =
            if self.is_replica.load(Relaxed) { Moment::from_ms(self.passed.load(Relaxed)) } else { self.now() };
        Source::new(self.id, tracking, covers)
    }

    pub fn events(&self) -> &Events {
        &self.around.events
    }

    /// Where to tell of keys that change, if anybody wants to know.
    pub fn forget(&self) -> Option<&Forget> {
        self.around.forget.as_ref()
    }

    /// Sends several commands at once and returns an answer for each, which may be a server error.
    pub async fn ask_all(&self, commands: &Pipeline, lane: Lane, patience: Patience) -> Result<Vec<Value>, NodeError> {
        let count = commands.len();
        let ask = async |session: &Session| {
            let answers = session
                .ask(patience, |mut connection| async move { connection.req_packed_commands(commands, 0, count).await })
                .await?;
            if answers.len() == count { Ok(answers) } else { Err(NodeError::Unexpected) }
        };
        self.over(self.session(lane), count, ask).await
    }

    /// Sends a change and waits until `replicas` have it, or the deadline is near. Returns the answer, and how many
    /// had it.
    pub async fn ask_durably(
        &self,
        command: &Cmd,
        replicas: u32,
        deadline: Deadline,
    ) -> Result<(Value, u32), NodeError> {
        let mut pipeline = Pipeline::with_capacity(2);
        pipeline.add_command(command.clone());
        let (mut values, had) = self.ask_all_durably(&pipeline, replicas, deadline).await?;
        values.pop().map(|value| (value, had)).ok_or(NodeError::Unexpected)
    }

    /// As [`Node::ask_durably`], for several commands at once.
    pub async fn ask_all_durably(
        &self,
        commands: &Pipeline,
        replicas: u32,
        deadline: Deadline,
    ) -> Result<(Vec<Value>, u32), NodeError> {
        let asked = async {
            let _turn = self.durable.turn(deadline).await?;
            let _place = self.take_place(commands.len())?;
            // More than there are would be waited for in vain.
            let replicas = self.standing().map_or(replicas, |standing| replicas.min(standing.followers));
            self.durable.ask_all((&self.target, self.connection()), commands, replicas, deadline).await
        };
        let mut asked = pin!(asked.instrument(traces::node(&self.address, commands.len())));
        let answer = asked.as_mut().await;
        self.note(asked.span(), answer.as_ref().err());
        answer
    }

    pub fn is_up(&self) -> bool {
        self.links.iter().any(Link::is_up)
    }

    /// Closes what nobody has used for long.
    pub fn tidy(&self) {
        self.durable.tidy(self.connection());
    }

    pub fn is_connecting(&self) -> bool {
        self.links.iter().any(Link::is_connecting)
    }

    /// Counts its connections: another number, another connection.
    pub fn connection(&self) -> u64 {
        self.connections.load(Relaxed)
    }

    pub fn note_connected(&self) {
        self.connections.fetch_add(1, Relaxed);
    }

    /// How many connections are to be kept open, the one for large values included.
    pub fn links(&self) -> usize {
        self.links.len() + 1
    }

    /// The last one is for large values.
    pub fn link(&self, number: usize) -> &Link {
        self.links.get(number).unwrap_or(&self.bulk)
    }

    /// Returns when that connection is to be opened.
    pub async fn wanted(&self, number: usize) {
        if number == self.links.len() {
            self.bulk_wanted.notified().await;
        }
    }

    /// Has a lost connection tried again soon: there is somebody who needs it and has nobody else to ask.
    pub fn want(&self) {
        self.needed.notify_waiters();
    }

    /// Returns when the node is needed.
    pub async fn needed(&self) {
        self.needed.notified().await;
    }

    /// Has the node probed at once: it did what its role does not explain.
    pub fn doubt(&self) {
        self.doubted.notify_one();
    }

    /// Returns when it is time to ask the node again how it is.
    pub async fn next_probe(&self) {
        // Whether it was asked for or is due is the same.
        let _due = timeout(self.probe_every, self.doubted.notified()).await;
    }

    pub fn now(&self) -> Moment {
        self.around.clock.now()
    }

    pub fn notify_change(&self) {
        self.common().changed.send_replace(());
    }

    /// A connection that is up; with several, that of the thread that asks.
    fn session(&self, lane: Lane) -> Result<Arc<Session>, NodeError> {
        if lane == Lane::Bulk {
            self.bulk_wanted.notify_one();
            if let Ok(session) = self.bulk.session() {
                return Ok(session);
            }
        }
        if let [only] = &*self.links {
            return only.session();
        }
        let start = worker::current();
        let in_turn = |offset: usize| self.links[(start + offset) % self.links.len()].session().ok();
        (0..self.links.len()).find_map(in_turn).ok_or(NodeError::NotConnected)
    }
}
