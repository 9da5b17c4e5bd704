//! The only place that knows Redis: the shard and the nodes of each key, connections, and commands.
//!
//! Commands are sent over multiplexed connections that background tasks ([`Store::run`]) keep open; a request never
//! opens one itself.

mod change_signal;
mod consistency;
mod error;
mod inspection;
mod metrics;
mod node;
mod operation;
mod protocol;
mod shard;
mod shard_map;
mod simulation;
mod status;
mod store_config;
mod topology;

pub use consistency::{Freshness, LogicalTime, SyncToken, SyncTokenKey};
pub use error::{Advice, StoreError};
pub use inspection::{KeptAnswer, ValueDigest, WatchedRead};
pub use node::login::RedisCertificateError;
pub use node::resources::NodeResources;
pub use node::tracking::{InvalidationHandler, TrackedSource};
pub use operation::{
    inspect::{InspectedKey, KeySample},
    sweep::{MisplacedKey, ScanPage, ScanPosition, ScanRequest, SweepError},
    tracked_value::{TrackedOrigin, TrackedValue},
};
pub use protocol::operation::{Addition, Answer, BucketState, Lifetime, Operation, OperationKind, Sum, TokenBucket};
pub use protocol::server_mode::ServerMode;
pub use shard::ShardHealth;
pub use shard_map::Location;
pub use simulation::{Dialing, SimulatedStream, Simulation};
pub use status::{NodeStatus, ShardStatus, StoreStatus};
pub use store_config::Config;
pub use topology::{ConnectionReport, DiscoveryError, EndpointCheck, ServerFacts};

use crate::{
    ring::{Ring, key_hash},
    settings::Topology,
    telemetry::metrics::{Metrics, MetricsWriter},
    types::{Address, Deadline, FullKey, ReplyMemory},
};
use consistency::{Clock, RecentChanges, SyncTokens};
use inspection::Sampler;
use node::{
    NodeContext,
    connection_class::{ConnectionClass, LargeKeys},
    login::{Login, SharedLogin},
};
use operation::{batch, context::OperationContext, inspect, read, sweep, write};
use shard_map::{MapHandle, Routing, ShardMap};
use simulation::random_number;
use std::{fmt, sync::Arc, time::Duration};
use tokio::{runtime::Handle, time::timeout_at};
use topology::{TopologySource, supervisor};

/// All shards. A clone is a handle on the same store.
#[derive(Clone)]
pub struct Store(Arc<StoreInner>);

/// The prepared logins of a configuration.
struct Logins {
    nodes: Login,
    /// The login of the sentinels; `None` without sentinels.
    sentinels: Option<Login>,
}

impl Logins {
    fn new(config: &Config<'_>) -> Result<Self, RedisCertificateError> {
        let nodes = Login::new(config.login, config.redis.db)?;
        let sentinels = match config.topology {
            Topology::Sentinel(sentinels) => Some(Login::new(&sentinels.login, 0)?),
            Topology::Static(_) | Topology::Cluster(_) => None,
        };
        Ok(Self { nodes, sentinels })
    }
}

struct StoreInner {
    map: Arc<MapHandle>,
    topology: TopologySource,
    /// The login of connections to nodes.
    login: SharedLogin,
    operations: OperationContext,
    sync_tokens: SyncTokens,
}

impl Store {
    /// Creates the shards; [`Store::run`] connects to them. `on_invalidation` is called with each key that changes
    /// after [`Store::get_tracked`] read it.
    pub fn new(
        config: Config<'_>,
        on_invalidation: Option<InvalidationHandler>,
        metrics: Arc<Metrics>,
    ) -> Result<Self, RedisCertificateError> {
        let clock = Clock::default();
        let instance = random_number(config.simulation.as_ref());
        let logins = Logins::new(&config)?;
        let large_keys = Arc::<LargeKeys>::default();
        let node_context = NodeContext {
            clock,
            on_invalidation,
            large_keys: Arc::clone(&large_keys),
            login: SharedLogin::new(logins.nodes),
            events: Arc::clone(&metrics.events),
            simulation: config.simulation,
        };
        let map = Arc::new(MapHandle::new(ShardMap::new(Routing::Ring(Ring::new([])), Vec::new())));
        let topology = TopologySource::new(config.topology, config.redis, &node_context, &map, logins.sentinels);
        let operations = OperationContext {
            map: Arc::clone(&map),
            recent_changes: RecentChanges::new(clock),
            large_keys,
            cluster: topology.cluster().cloned(),
            sampler: Sampler::new(config.inspection),
            metrics,
        };
        let sync_tokens = SyncTokens::new(clock, instance, config.sync_token_key);
        let login = node_context.login;
        Ok(Self(Arc::new(StoreInner { map, topology, login, operations, sync_tokens })))
    }

    /// Connects once to everything that the settings name, and reports each address. Permissions are asked for with `key`,
    /// under which nothing must be stored.
    pub async fn check_connections(
        config: &Config<'_>,
        key: &FullKey<'_>,
    ) -> Result<ConnectionReport, RedisCertificateError> {
        topology::check_connections(config, key.as_str()).await
    }

    /// Returns a token that covers everything that this process has acknowledged until now.
    pub fn sync_token(&self) -> SyncToken {
        self.0.sync_tokens.token()
    }

    /// Returns a token that covers nothing.
    pub fn empty_sync_token(&self) -> SyncToken {
        self.0.sync_tokens.empty_token()
    }

    /// Returns the freshness that a read needs to show everything that the token covers.
    pub fn freshness(&self, token: &SyncToken) -> Freshness {
        self.0.sync_tokens.freshness(token)
    }

    /// Applies the shards, the replicas and the logins of changed settings while requests are served. `config.redis` has
    /// to be the one that this store was created with: it changes only at the next start. The error says what is wrong
    /// with the certificates for Redis; nothing has changed then.
    pub fn apply(&self, config: Config<'_>) -> Result<(), RedisCertificateError> {
        let logins = Logins::new(&config)?;
        self.0.login.replace(logins.nodes);
        self.0.sync_tokens.set_key(config.sync_token_key);
        self.0.operations.sampler.configure(config.inspection);
        self.0.topology.apply(config.topology, config.redis, &self.0.map, logins.sentinels);
        Ok(())
    }

    /// Keeps all connections open and follows promotions until it is dropped: run it as a background task. Connections
    /// live on the event loops of the workers; without workers, on the event loop that this runs on.
    pub async fn run(self, workers: Vec<Handle>) {
        supervisor::run(&self.0.map, &self.0.topology, workers).await;
    }

    /// Inspects answers until it is dropped: run it as a background task, once.
    pub async fn run_inspection(self) {
        let OperationContext { sampler, map, metrics, recent_changes, .. } = &self.0.operations;
        inspection::run(sampler, map, metrics, recent_changes.clock).await;
    }

    /// Reads the bytes under `key`, from a replica where one is fresh enough.
    pub async fn get(
        &self,
        key: &FullKey<'_>,
        freshness: Freshness,
        deadline: Deadline,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        read::get(&self.0.operations, key, &OperationKind::Get(freshness), deadline).await
    }

    /// Reads as [`Store::get`] does; where the answer may be cached, its origin comes with it.
    pub async fn get_tracked(
        &self,
        key: &FullKey<'_>,
        freshness: Freshness,
        deadline: Deadline,
    ) -> Result<TrackedValue, StoreError> {
        read::get_tracked(&self.0.operations, key, freshness, deadline).await
    }

    /// Returns true if the value was large when it was last read or written.
    pub fn is_large(&self, key: &FullKey<'_>) -> bool {
        let hash = self.0.map.load().locate(key).1;
        self.0.operations.large_keys.class_for(hash) == ConnectionClass::LargeValue
    }

    /// Returns true if a read would now be sent to the node that an earlier answer came from, and that answer would
    /// still be the same.
    pub fn may_serve_cached(&self, source: &TrackedSource, key: &FullKey<'_>, freshness: Freshness) -> bool {
        read::may_serve_cached(&self.0.operations, source, key, freshness)
    }

    /// Returns the watch that a key is under, if the inspection watches it. It has to be called before the near cache is
    /// asked.
    pub fn watched_read(&self, key: &FullKey<'_>, freshness: Freshness) -> Option<WatchedRead> {
        let operations = &self.0.operations;
        if !operations.sampler.watches_any() {
            return None;
        }
        // Without its shard, as long as the key is not watched.
        operations.sampler.watches.number(key_hash(key.as_bytes()))?;
        let map = operations.map.load();
        let (position, hash) = map.locate(key);
        WatchedRead::new(&operations.sampler, map.shard(position), operations.requirement(hash, freshness))
    }

    /// Observes an answer of the near cache for the inspection. `is_kept` is called if the answer is sampled, and returns
    /// a function that tells if the near cache still has the value.
    pub fn observe_kept(
        &self,
        key: &FullKey<'_>,
        answer: KeptAnswer<'_>,
        is_kept: impl FnOnce() -> Box<dyn Fn() -> bool + Send + Sync>,
    ) {
        self.0.operations.sampler.observe_kept(key, answer, is_kept);
    }

    /// Observes a change that succeeded for the inspection. The near cache has to be invalidated before.
    pub fn observe_change(&self, key: &FullKey<'_>, kind: &OperationKind<'_>) {
        self.0.operations.observe_change(key, kind);
    }

    /// Reads what `kind`, which is a read, asks for, from a replica where one is fresh enough.
    pub async fn ask(
        &self,
        key: &FullKey<'_>,
        kind: &OperationKind<'_>,
        deadline: Deadline,
    ) -> Result<Answer, StoreError> {
        read::get(&self.0.operations, key, kind, deadline).await.map(Answer::Got)
    }

    /// Changes `key` on the master.
    pub async fn change(
        &self,
        key: &FullKey<'_>,
        kind: &OperationKind<'_>,
        deadline: Deadline,
    ) -> Result<Answer, StoreError> {
        write::write(&self.0.operations, key, kind, deadline).await
    }

    /// Runs operations with one round trip to each node, all nodes at once, and `alongside`, whose result is part of the
    /// same reply. Returns the answers in the order of the operations, and that result. The values that are read take their
    /// bytes from `memory`.
    pub async fn batch<T>(
        &self,
        operations: &[Operation<'_>],
        memory: &ReplyMemory<'_>,
        alongside: impl Future<Output = T>,
        deadline: Deadline,
    ) -> (Vec<Result<Answer, StoreError>>, T) {
        batch::run(&self.0.operations, operations, memory, alongside, deadline).await
    }

    /// Returns the health of each shard, as far as it is known without asking.
    pub fn health(&self) -> Vec<ShardHealth> {
        self.0.map.load().shards().iter().map(|shard| shard.health()).collect()
    }

    /// Counts a command on `key` that failed with this error, as a failure of its shard.
    pub fn record_failure(&self, key: &FullKey<'_>, error: &StoreError) {
        let Some(name) = error.shard() else { return };
        let map = self.0.map.load();
        let (position, _) = map.locate(key);
        let owner = map.shard(position);
        if owner.name() == *name {
            owner.record_failure(error);
        } else if let Some(shard) = map.shards().iter().find(|shard| shard.name() == *name) {
            // The key has moved to another shard since the command failed.
            shard.record_failure(error);
        }
    }

    /// Returns the state of all shards and nodes, as far as it is known without asking.
    pub fn status(&self) -> StoreStatus {
        StoreStatus::of(&self.0.map.load_full())
    }

    /// Writes the metrics of all shards and nodes.
    pub fn write_metrics(&self, page: &mut MetricsWriter<'_>) -> fmt::Result {
        metrics::write(page, &self.0.map.load_full())
    }

    /// Returns the problems of the sentinels, one sentence each.
    pub fn topology_problems(&self) -> Vec<String> {
        self.0.topology.problems()
    }

    /// Waits until the nodes of the key's shard, or in a Redis Cluster all nodes, are known or the deadline has passed.
    /// They become known while [`Store::run`] runs.
    pub async fn wait_until_known(&self, key: &FullKey<'_>, deadline: Deadline) {
        let mut node_set = self.0.map.subscribe();
        while self.locate(key).master.is_none() && timeout_at(deadline.instant(), node_set.changed()).await.is_ok() {}
    }

    /// Returns the place of a key.
    pub fn locate(&self, key: &FullKey<'_>) -> Location {
        self.0.map.load().location(key)
    }

    /// Returns the slot of a key; `None` without a Redis Cluster.
    pub fn slot(&self, key: &FullKey<'_>) -> Option<u16> {
        self.0.map.load().slot(key)
    }

    /// Returns the master's answer about a key, or a replica's if the master does not answer within half of the time,
    /// and the address of the node that answered. Needs [`Store::run`].
    pub async fn inspect_key(
        &self,
        key: &FullKey<'_>,
        deadline: Deadline,
    ) -> Result<(Address, Option<InspectedKey>), StoreError> {
        self.wait_until_known(key, deadline).await;
        inspect::inspect_key(&self.0.map, key, deadline).await
    }

    /// Draws up to `count` keys of a shard at random and inspects each. Returns `None` if no shard has the name. Needs
    /// [`Store::run`].
    pub async fn sample(&self, shard: &str, count: usize, deadline: Deadline) -> Result<Option<KeySample>, StoreError> {
        inspect::sample(&self.0.map, shard, count, deadline).await
    }

    /// Returns the next keys of a shard, from its master, and which of them belong to another shard. `from` is the
    /// position after the step before; `None` begins. Needs [`Store::run`].
    pub async fn scan(
        &self,
        shard: &str,
        from: Option<&ScanPosition>,
        request: &ScanRequest<'_>,
        deadline: Deadline,
    ) -> Result<ScanPage, SweepError> {
        sweep::scan(&self.0.map, shard, from, request, deadline).await
    }

    /// Deletes keys that [`Store::scan`] has found on the process with this `run_id`, as long as that is the master of
    /// the shard. Returns the number of keys that still existed. Needs [`Store::run`].
    pub async fn unlink_misplaced(
        &self,
        shard: &str,
        run_id: &str,
        keys: &[MisplacedKey],
        deadline: Deadline,
    ) -> Result<u64, SweepError> {
        sweep::unlink(&self.0.map, shard, run_id, keys, deadline).await
    }

    /// Learns the place of a key once, without [`Store::run`].
    pub async fn discover(&self, key: &FullKey<'_>, within: Duration) -> Result<(), DiscoveryError> {
        if let Some(cluster) = self.0.topology.cluster() {
            return cluster.discover(within).await.map_err(DiscoveryError::Cluster);
        }
        tokio::select! {
            biased;
            () = self.clone().run(Vec::new()) => {}
            // The check below reports a timeout.
            () = self.wait_until_known(key, Deadline::within(within)) => {}
        }
        let location = self.locate(key);
        if location.master.is_some() {
            return Ok(());
        }
        Err(DiscoveryError::Sentinels { shard: location.shard, problems: self.topology_problems().join("; ") })
    }
}
