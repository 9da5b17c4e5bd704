//! The node itself: the struct that its connections, its calls and its state belong to.

use super::{
    client_windows::NodeClients,
    cluster_mode::ClusterMode,
    connect::RedisEndpoint,
    context::{NodeContext, ShardContext},
    in_flight::InFlightLimit,
    lineage::Lineage,
    metrics::NodeMetrics,
    node_id::NodeId,
    offset_request::OffsetRequest,
    permissions::LoggedPermissions,
    pool::{ConnectionPool, ConnectionState},
    probe_schedule::ProbeSchedule,
    replication::ReplicationInfo,
    resources::NodeResources,
    state::NodeState,
    state_cell::StateCell,
    wait_connections::WaitConnections,
};
use crate::{
    ring::node_seed,
    settings,
    store::{
        consistency::LogicalTime,
        error::NodeError,
        protocol::{server_mode::ServerMode, server_text::ServerText},
    },
    telemetry::metrics::NodeRole,
    types::Address,
};
use arc_swap::{ArcSwap, ArcSwapOption, Guard};
use std::{
    net::IpAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU32, Ordering::Relaxed},
    },
    time::Duration,
};

/// The time limits of a node's connections.
pub struct NodeConfig {
    /// The time that opening a connection may take.
    pub connect_timeout: Duration,
    /// The time that one attempt of a call may take.
    pub attempt_timeout: Duration,
}

/// One Redis node.
pub struct Node {
    /// The identity of the node.
    pub id: NodeId,
    /// The address of the node.
    pub address: Address,
    /// The node's part of the score by which a key chooses among replicas.
    pub seed: u64,
    /// The metrics of the node.
    pub metrics: NodeMetrics,
    /// The memory and the keys of the process, as it reported them last; `None` while that is not known.
    pub resources: ArcSwapOption<NodeResources>,
    /// The shard's master is another node, as far as the last election knew.
    follows_other: AtomicBool,
    /// The endpoint at which connections are opened.
    pub(super) endpoint: RedisEndpoint,
    /// The time limits of the connections.
    pub(super) config: NodeConfig,
    /// The connections that commands are sent over.
    pub(super) pool: ConnectionPool,
    /// The connections over which changes wait for replicas.
    pub(super) wait_connections: WaitConnections,
    /// The bytes in flight to each client.
    pub(super) clients: NodeClients,
    /// The limit on commands in flight.
    pub(super) in_flight: InFlightLimit,
    /// The mode of the connections to a node of a Redis Cluster.
    pub(super) cluster_mode: ClusterMode,
    /// The times at which the node is probed.
    pub(super) probes: ProbeSchedule,
    /// The request for the offset after changes.
    pub(super) offset_request: OffsetRequest,
    /// Everything that is known of the node, as it was published last.
    pub(super) state: StateCell,
    /// The number of reads in a row that another node answered first, because this one was slow.
    pub(super) lost_hedges: AtomicU32,
    /// The permissions whose lack was logged.
    pub(super) logged_permissions: LoggedPermissions,
    /// The mode of the process at the address, where it is one that a node of a shard must not have.
    wrong_mode: Mutex<Option<ServerMode>>,
    /// The state that all nodes share.
    pub(super) context: NodeContext,
    /// The things that the nodes of the shard share. It changes only within an update of `state`.
    shard_context: ArcSwap<ShardContext>,
}

impl Node {
    /// Creates a node of the shard that has this context. Background tasks open its connections.
    pub fn new(address: &Address, redis: &settings::RedisConfig, context: &ShardContext) -> Self {
        let pool = ConnectionPool::new(redis.connections_per_node);
        let node_context = &context.node_context;
        Self {
            id: NodeId::next(),
            address: address.clone(),
            seed: node_seed(&address.to_string()),
            metrics: NodeMetrics::default(),
            resources: ArcSwapOption::empty(),
            follows_other: AtomicBool::new(false),
            endpoint: RedisEndpoint::new(address, &node_context.login, redis.connect_timeout, node_context),
            config: NodeConfig { connect_timeout: redis.connect_timeout, attempt_timeout: redis.attempt_timeout },
            wait_connections: WaitConnections::default(),
            clients: NodeClients::new(pool.size(), Arc::clone(&context.node_context.large_keys)),
            in_flight: InFlightLimit::new(redis.in_flight_max),
            cluster_mode: ClusterMode::default(),
            probes: ProbeSchedule::new(redis.probe_every),
            offset_request: OffsetRequest::default(),
            state: StateCell::new(NodeState::new(pool.connectivity(), redis.replica_stale_max)),
            pool,
            lost_hedges: AtomicU32::new(0),
            logged_permissions: LoggedPermissions::default(),
            wrong_mode: Mutex::default(),
            context: node_context.clone(),
            shard_context: ArcSwap::from_pointee(context.clone()),
        }
    }

    /// Returns everything that is known of the node at this moment. Load it once per decision.
    pub fn state(&self) -> Guard<Arc<NodeState>> {
        self.state.load()
    }

    /// Moves the node to the shard that has this context, if it is not there yet.
    pub fn move_to_shard(&self, context: &ShardContext) {
        self.state.update(|state| {
            if !self.shard_context().changed.is_same(&context.changed) {
                self.shard_context.store(Arc::new(context.clone()));
                // The times of another master's changes mean nothing here.
                state.clear_progress();
            }
        });
    }

    /// Replaces everything that is known of the node.
    #[cfg(test)]
    pub fn set_state(&self, state: &NodeState) {
        self.state.update(|current| current.clone_from(state));
    }

    /// Logs that the service's user lacks permissions; see [`LoggedPermissions::log`].
    pub(super) fn log_missing_permissions(&self, permissions: &'static str, consequence: &str, detail: &ServerText) {
        let shard = self.shard_context().name.get();
        self.logged_permissions.log((&self.address, &shard), permissions, consequence, detail);
    }

    /// Checks the mode of the process at the address: only a Redis Cluster has nodes of its own kind, and a sentinel holds
    /// no keys.
    pub(super) fn check_mode(&self, mode: Option<ServerMode>) -> Result<(), NodeError> {
        let is_wrong = |mode: &ServerMode| !self.shard_context().in_cluster() && mode.misuse_as_listed_node().is_some();
        let wrong = mode.filter(is_wrong);
        *self.lock_wrong_mode() = wrong;
        wrong.map_or(Ok(()), |mode| Err(NodeError::WrongMode(mode)))
    }

    /// Returns the mode of the process at the address, if it is one that a node of a shard must not have.
    pub fn wrong_mode(&self) -> Option<ServerMode> {
        *self.lock_wrong_mode()
    }

    /// Forgets the mode of the process, because no process answers at the address now.
    pub(super) fn forget_mode(&self) {
        *self.lock_wrong_mode() = None;
    }

    fn lock_wrong_mode(&self) -> MutexGuard<'_, Option<ServerMode>> {
        self.wrong_mode.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records the result of an election that was held with this answer of the node: the origin of its data. Returns true if that changes the state.
    pub fn record_election(&self, seen: &ReplicationInfo, lineage: Lineage) -> bool {
        // Only elections change these facts, and no two elections run at the same time.
        let is_change = self.state.load().differs_from_election(seen, lineage);
        if is_change {
            let progress = Arc::clone(&self.shard_context().progress);
            self.state.update(|state| state.record_election(seen, lineage, &progress));
        }
        is_change
    }

    /// Excludes the node from the replicas until it was probed: it reported the loss of all its data. To be called
    /// before anything that the node sent after the report is used.
    pub(super) fn on_flush(&self) {
        self.state.update(NodeState::mark_flushed);
        self.request_probe();
    }

    /// Records the role that the node has in its shard, for events.
    pub fn record_role(&self, role: NodeRole) {
        self.follows_other.store(role == NodeRole::Replica, Relaxed);
    }

    /// Returns the role that the node has in its shard.
    pub fn role_in_shard(&self) -> NodeRole {
        if self.follows_other.load(Relaxed) { NodeRole::Replica } else { NodeRole::Master }
    }

    /// Records if the shard's master is another node. In a Redis Cluster a replica then answers reads; the master of the
    /// shard does not, even while it says that it was demoted, and redirects them to its successor.
    pub fn set_follows_other(&self, follows_other: bool) {
        self.record_role(if follows_other { NodeRole::Replica } else { NodeRole::Master });
        if self.shard_context().in_cluster() {
            self.cluster_mode.set_read_only(follows_other && self.state.load().is_replica());
        }
    }

    /// Records if the shard has lost its master, so that this node may be promoted: it is then probed more often.
    pub fn set_promotion_expected(&self, expected: bool) {
        self.probes.set_promotion_expected(expected);
    }

    /// Returns true if the node, which is taken for the master, was demoted a moment ago: its successor is just taking over.
    pub fn awaits_successor(&self) -> bool {
        let state = self.state.load();
        state.is_up() && state.is_replica() && self.probes.is_promotion_near()
    }

    /// Returns true if a connection is open.
    pub fn is_up(&self) -> bool {
        self.state.load().is_up()
    }

    /// Returns true if the first attempt to connect, or the first one after a loss, is under way. Requests wait for its
    /// end.
    pub fn is_connecting(&self) -> bool {
        self.state.load().is_connecting()
    }

    /// Returns the node's last answer; see [`NodeState::replication_info`].
    pub fn replication_info(&self) -> Option<ReplicationInfo> {
        self.state.load().replication_info().cloned()
    }

    /// Returns the time for which changes may be missing; `None` if that is not known.
    pub fn lag(&self) -> Option<Duration> {
        self.state.load().lag(self.now())
    }

    /// Returns the number of connections that the node is to have, including the one for large values.
    pub fn connection_count(&self) -> usize {
        self.pool.size()
    }

    /// Returns the number of connections opened so far. A changed number means a new connection.
    pub fn connections_opened(&self) -> u64 {
        self.pool.opened()
    }

    /// Returns the number of commands that wait for the node's answers.
    pub fn in_flight(&self) -> usize {
        self.in_flight.in_flight()
    }

    /// Asks for an early attempt to reconnect: a request needs the node and can use no other one.
    pub fn request_reconnect(&self) {
        self.pool.request_reconnect();
    }

    /// Asks for a probe at once: the node did something that its role does not explain.
    pub fn request_probe(&self) {
        self.probes.request();
    }

    /// Asks for the offset that the node has reached: a change was answered. One answer covers all changes of a moment.
    pub fn request_offset(&self) {
        self.offset_request.make();
    }

    /// Returns true if the node is a master and replicas were connected to it when it was last asked.
    pub(super) fn has_replicas(&self) -> bool {
        self.state.load().replication_info().is_some_and(|info| info.is_master() && info.connected_replicas > 0)
    }

    /// Finds out why the node refused a change: asks for a probe at once and, if the node is no master any more, for a
    /// lookup of its name, which may have moved to the node that is.
    pub fn investigate(&self, refusal: &NodeError) {
        self.request_probe();
        if refusal.is_demotion() {
            self.endpoint.lookups.request();
        }
    }

    /// Returns true if the node is known by a name, and has just ceased to be a master: its name may move soon.
    pub fn is_move_expected(&self) -> bool {
        self.address.host.parse::<IpAddr>().is_err() && self.endpoint.lookups.is_move_expected()
    }

    /// Returns the time of this process.
    pub(super) fn now(&self) -> LogicalTime {
        self.context.clock.now()
    }

    /// Returns the state that the nodes of the shard share.
    pub(super) fn shard_context(&self) -> Guard<Arc<ShardContext>> {
        self.shard_context.load()
    }

    /// Takes all connections out of use, as one change: the node's name leads to another process now. What is known of the
    /// node is outdated from then on.
    pub(super) fn end_connections(&self) {
        self.state.update(|state| {
            self.pool.end_all();
            state.set_connectivity(self.pool.connectivity());
            state.mark_outdated();
        });
        self.shard_context().notify_changed();
    }

    /// Sets the state of a connection and publishes what follows from it, as one change.
    pub(super) fn set_connection_state(&self, number: usize, connection: ConnectionState) {
        self.state.update(|state| {
            self.pool.set_state(number, connection);
            state.set_connectivity(self.pool.connectivity());
        });
        self.shard_context().notify_changed();
    }
}

#[cfg(test)]
impl Node {
    /// Creates a node that nobody connects to, for tests.
    pub fn unconnected(port: u16) -> Arc<Self> {
        let address = Address { host: "127.0.0.1".to_owned(), port };
        Arc::new(Self::new(&address, &Self::settings_for_tests(), &ShardContext::default()))
    }

    /// Returns the settings of a node, for tests.
    pub fn settings_for_tests() -> settings::RedisConfig {
        let second = Duration::from_secs(1);
        settings::RedisConfig {
            db: 0,
            connections_per_node: 1,
            connect_timeout: second,
            attempt_timeout: second,
            probe_every: second,
            in_flight_max: 1,
            hedge_reads: false,
            master_hold: Duration::ZERO,
            replica_stale_max: None,
        }
    }
}
