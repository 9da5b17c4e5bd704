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
        consistency::{Clock, LogicalTime, ReplicationProgress},
        error::NodeError,
        node::connect::{ConnectOptions, RedisEndpoint},
        node::replication::ReplicationInfo,
        node::{
            connection::{CallTimeout, ConnectionSlot, OpenConnection},
            connection_class::ConnectionClass,
            tracking::{InvalidationHandler, TrackedSource, Tracking},
            wait_connections::WaitConnections,
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
pub struct NodeContext {
    pub clock: Clock,
    /// Told of keys that change, where anybody wants to know.
    pub on_invalidation: Option<InvalidationHandler>,
    /// Where what happens to nodes is noted.
    pub events: Arc<Events>,
}

/// What the nodes of a shard have in common.
#[derive(Clone, Default)]
pub struct ShardContext {
    /// Told whenever one of them changes.
    pub changed: Arc<watch::Sender<()>>,
    /// How far their master's writing has come.
    pub progress: Arc<ReplicationProgress>,
    pub node_context: NodeContext,
    /// They are nodes of a Redis Cluster; this is told when one of them is lost or turns into something else.
    pub topology_changed: Option<Arc<Notify>>,
}

pub struct Node {
    pub id: NodeId,
    pub address: Address,
    /// For the rendezvous choice among replicas.
    pub seed: u64,
    pub endpoint: RedisEndpoint,
    pub connect_timeout: Duration,
    /// How long it may answer nobody before it is given up for another node.
    pub attempt_timeout: Duration,
    connection_slots: Box<[ConnectionSlot]>,
    /// For large values.
    large_value_slot: ConnectionSlot,
    large_value_wanted: Notify,
    wait_connections: WaitConnections,
    in_flight: AtomicUsize,
    /// How long its answers took, ...
    pub durations: Histogram,
    /// ... and why there were none.
    pub failures: Counters<NodeFailure>,
    in_flight_max: usize,
    probe_every: Duration,
    /// Asks for a probe before its time.
    probe_requested: Notify,
    /// Connections that it has had.
    connections_opened: AtomicU64,
    /// Told when somebody needs it though it is down.
    reconnect_requested: Notify,
    /// What it last said of itself; `None` if it does not tell.
    replication_info: Mutex<Option<ReplicationInfo>>,
    /// What that means for reads, where a request looks: whether it is a replica that has its data, ...
    serves_reads: AtomicBool,
    /// ... whether its master is out of its reach, so that it falls behind, ...
    link_down: AtomicBool,
    /// ... for longer than is allowed, ...
    stale: AtomicBool,
    /// ... whether its data is that of its shard's master, and not of another one that it still follows, ...
    same_lineage: AtomicBool,
    /// ... whether it is known not to have its data, ...
    lacks_data: AtomicBool,
    /// ... whether it calls itself a replica, ...
    is_replica: AtomicBool,
    /// ... and the moment until which it has all changes, in milliseconds.
    replicated_up_to: AtomicU64,
    /// When it was asked what it last answered, in milliseconds.
    last_asked: AtomicU64,
    stale_max: Option<Duration>,
    node_context: NodeContext,
    /// It may move to another shard.
    shard_context: Mutex<ShardContext>,
}

impl Node {
    /// The error says what is wrong with the certificates for Redis.
    pub fn new(address: &Address, redis: &settings::RedisConfig, common: &ShardContext) -> Result<Self, String> {
        static IDS: AtomicU64 = AtomicU64::new(0);
        Ok(Self {
            id: NodeId(IDS.fetch_add(1, Relaxed)),
            address: address.clone(),
            seed: node_seed(&address.to_string()),
            endpoint: RedisEndpoint::new(address, &ConnectOptions::for_nodes(redis), redis.connect_timeout)?,
            connect_timeout: redis.connect_timeout,
            attempt_timeout: redis.attempt_timeout,
            connection_slots: (0..redis.connections_per_node).map(|_| ConnectionSlot::default()).collect(),
            large_value_slot: ConnectionSlot::default(),
            large_value_wanted: Notify::new(),
            wait_connections: WaitConnections::default(),
            in_flight: AtomicUsize::new(0),
            durations: Histogram::default(),
            failures: Counters::default(),
            in_flight_max: redis.in_flight_max,
            probe_every: redis.probe_every,
            probe_requested: Notify::new(),
            connections_opened: AtomicU64::new(0),
            reconnect_requested: Notify::new(),
            replication_info: Mutex::new(None),
            serves_reads: AtomicBool::new(true),
            link_down: AtomicBool::new(false),
            stale: AtomicBool::new(false),
            same_lineage: AtomicBool::new(true),
            lacks_data: AtomicBool::new(false),
            is_replica: AtomicBool::new(false),
            replicated_up_to: AtomicU64::new(0),
            last_asked: AtomicU64::new(0),
            stale_max: redis.replica_stale_max,
            node_context: common.node_context.clone(),
            shard_context: Mutex::new(common.clone()),
        })
    }

    /// Makes it one of the nodes that have this in common.
    pub fn move_to_shard(&self, common: &ShardContext) {
        let mut own = self.shard_context();
        if !Arc::ptr_eq(&own.changed, &common.changed) {
            *own = common.clone();
            // What it has of another master's changes says nothing here.
            self.replicated_up_to.store(0, Relaxed);
        }
    }

    fn shard_context(&self) -> MutexGuard<'_, ShardContext> {
        self.shard_context.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn in_cluster(&self) -> bool {
        self.shard_context().topology_changed.is_some()
    }

    /// Has the cluster's nodes asked anew: with this one something has happened.
    pub fn notify_topology_changed(&self) {
        if let Some(alarm) = &self.shard_context().topology_changed {
            alarm.notify_one();
        }
    }

    /// Sends one command.
    pub async fn call(&self, command: &Cmd, lane: ConnectionClass, patience: CallTimeout) -> Result<Value, NodeError> {
        let ask = async |session: &OpenConnection| {
            session.call(patience, |mut connection| async move { connection.req_packed_command(command).await }).await
        };
        self.with_in_flight_permit(self.open_connection(lane), 1, ask).await
    }

    /// As [`Node::ask`], with `tracked` in place of the command where the node tells of changes: that command is
    /// between the request to track it and a question, whose answer comes back with where both came from.
    pub async fn call_tracked(
        &self,
        command: &Cmd,
        tracked: &Pipeline,
        lane: ConnectionClass,
        patience: CallTimeout,
    ) -> Result<(Value, Option<(TrackedSource, Value)>), NodeError> {
        let session = self.open_connection(lane);
        let source = session.as_ref().ok().and_then(|session| session.tracking()).map(|tracking| self.source(tracking));
        let Some(source) = source else {
            return self.call(command, lane, patience).await.map(|value| (value, None));
        };
        let ask = async |session: &OpenConnection| {
            let answers = session
                .call(patience, |mut connection| async move { connection.req_packed_commands(tracked, 0, 3).await })
                .await?;
            match <[Value; 3]>::try_from(answers) {
                Ok([Value::Okay, value, other]) => Ok((value, Some((source, other)))),
                Ok([_, value, _]) => Ok((value, None)),
                Err(_) => Err(NodeError::Unexpected),
            }
        };
        self.with_in_flight_permit(session, 3, ask).await
    }

    fn source(&self, tracking: &Arc<Tracking>) -> TrackedSource {
        let covers = if self.is_replica.load(Relaxed) {
            LogicalTime::from_ms(self.replicated_up_to.load(Relaxed))
        } else {
            self.now()
        };
        TrackedSource::new(self.id, tracking, covers)
    }

    pub fn events(&self) -> &Events {
        &self.node_context.events
    }

    /// Where to tell of keys that change, if anybody wants to know.
    pub fn on_invalidation(&self) -> Option<&InvalidationHandler> {
        self.node_context.on_invalidation.as_ref()
    }

    /// Sends several commands at once and returns an answer for each, which may be a server error.
    pub async fn call_all(
        &self,
        commands: &Pipeline,
        lane: ConnectionClass,
        patience: CallTimeout,
    ) -> Result<Vec<Value>, NodeError> {
        let count = commands.len();
        let ask = async |session: &OpenConnection| {
            let answers = session
                .call(
                    patience,
                    |mut connection| async move { connection.req_packed_commands(commands, 0, count).await },
                )
                .await?;
            if answers.len() == count { Ok(answers) } else { Err(NodeError::Unexpected) }
        };
        self.with_in_flight_permit(self.open_connection(lane), count, ask).await
    }

    /// Sends a change and waits until `replicas` have it, or the deadline is near. Returns the answer, and how many
    /// had it.
    pub async fn call_and_wait(
        &self,
        command: &Cmd,
        replicas: u32,
        deadline: Deadline,
    ) -> Result<(Value, u32), NodeError> {
        let mut pipeline = Pipeline::with_capacity(2);
        pipeline.add_command(command.clone());
        let (mut values, had) = self.call_all_and_wait(&pipeline, replicas, deadline).await?;
        values.pop().map(|value| (value, had)).ok_or(NodeError::Unexpected)
    }

    /// As [`Node::ask_durably`], for several commands at once.
    pub async fn call_all_and_wait(
        &self,
        commands: &Pipeline,
        replicas: u32,
        deadline: Deadline,
    ) -> Result<(Vec<Value>, u32), NodeError> {
        let asked = async {
            let _turn = self.wait_connections.acquire(deadline).await?;
            let _place = self.acquire_in_flight(commands.len())?;
            // More than there are would be waited for in vain.
            let replicas =
                self.replication_info().map_or(replicas, |standing| replicas.min(standing.connected_replicas));
            self.wait_connections
                .call_all((&self.endpoint, self.connections_opened()), commands, replicas, deadline)
                .await
        };
        let mut asked = pin!(asked.instrument(traces::node(&self.address, commands.len())));
        let answer = asked.as_mut().await;
        self.record_outcome(asked.span(), answer.as_ref().err());
        answer
    }

    pub fn is_up(&self) -> bool {
        self.connection_slots.iter().any(ConnectionSlot::is_up)
    }

    /// Closes what nobody has used for long.
    pub fn close_idle(&self) {
        self.wait_connections.close_idle(self.connections_opened());
    }

    pub fn is_connecting(&self) -> bool {
        self.connection_slots.iter().any(ConnectionSlot::is_connecting)
    }

    /// Counts its connections: another number, another connection.
    pub fn connections_opened(&self) -> u64 {
        self.connections_opened.load(Relaxed)
    }

    pub fn record_connected(&self) {
        self.connections_opened.fetch_add(1, Relaxed);
    }

    /// How many connections are to be kept open, the one for large values included.
    pub fn connection_count(&self) -> usize {
        self.connection_slots.len() + 1
    }

    /// The last one is for large values.
    pub fn connection_slot(&self, number: usize) -> &ConnectionSlot {
        self.connection_slots.get(number).unwrap_or(&self.large_value_slot)
    }

    /// Returns when that connection is to be opened.
    pub async fn wait_until_wanted(&self, number: usize) {
        if number == self.connection_slots.len() {
            self.large_value_wanted.notified().await;
        }
    }

    /// Has a lost connection tried again soon: there is somebody who needs it and has nobody else to ask.
    pub fn request_reconnect(&self) {
        self.reconnect_requested.notify_waiters();
    }

    /// Returns when the node is needed.
    pub async fn reconnect_requested(&self) {
        self.reconnect_requested.notified().await;
    }

    /// Has the node probed at once: it did what its role does not explain.
    pub fn request_probe(&self) {
        self.probe_requested.notify_one();
    }

    /// Returns when it is time to ask the node again how it is.
    pub async fn next_probe(&self) {
        // Whether it was asked for or is due is the same.
        let _due = timeout(self.probe_every, self.probe_requested.notified()).await;
    }

    pub fn now(&self) -> LogicalTime {
        self.node_context.clock.now()
    }

    pub fn notify_changed(&self) {
        self.shard_context().changed.send_replace(());
    }

    /// A connection that is up; with several, that of the thread that asks.
    fn open_connection(&self, lane: ConnectionClass) -> Result<Arc<OpenConnection>, NodeError> {
        if lane == ConnectionClass::LargeValue {
            self.large_value_wanted.notify_one();
            if let Ok(session) = self.large_value_slot.open_connection() {
                return Ok(session);
            }
        }
        if let [only] = &*self.connection_slots {
            return only.open_connection();
        }
        let start = worker::current();
        let in_turn = |offset: usize| {
            self.connection_slots[(start + offset) % self.connection_slots.len()].open_connection().ok()
        };
        (0..self.connection_slots.len()).find_map(in_turn).ok_or(NodeError::NotConnected)
    }
}
