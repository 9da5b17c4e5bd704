//! The only place that knows Redis: which shard and node a key is on, connections, commands.
//!
//! Commands go to nodes over multiplexed connections that background tasks ([`Store::maintain`]) keep open; a
//! request never opens one itself.

mod consistency;
mod error;
mod metrics;
mod node;
mod operation;
mod protocol;
mod shard;
mod shard_map;
mod status;
mod topology;

pub use consistency::{Freshness, LogicalTime, SyncToken};
pub use error::{Advice, StoreError};
pub use node::tracking::{InvalidationHandler, TrackedSource};
pub use operation::{InspectedKey, KeySample, REPLY_BYTES_MAX, TrackedOrigin, TrackedValue};
pub use protocol::operation::{Answer, Operation, OperationKind};
pub use shard::ShardHealth;
pub use status::{NodeStatus, ShardStatus, StoreStatus};

use crate::{
    ring::Ring,
    settings::Settings,
    telemetry::metrics::Metrics,
    types::{Address, Deadline, FullKey},
};
use arc_swap::ArcSwap;
use consistency::{Clock, RecentChanges, SyncTokens};
use node::{
    NodeContext,
    connection_class::{ConnectionClass, LargeKeys},
};
use operation::{batch, get, write};
use secrecy::ExposeSecret;
use shard_map::{Routing, ShardMap};
use std::{sync::Arc, time::Duration};
use tokio::{runtime::Handle, sync::watch, time::timeout};
use topology::{cluster::Cluster, sentinel::Sentinels, supervisor};

/// All shards. A clone is a handle on the same store.
#[derive(Clone)]
pub struct Store(Arc<StoreCore>);

struct StoreCore {
    map: ArcSwap<ShardMap>,
    node_context: NodeContext,
    recent_changes: RecentChanges,
    sync_tokens: SyncTokens,
    large_keys: LargeKeys,
    /// Where the shards are those of a Redis Cluster.
    cluster: Option<Cluster>,
    /// Told when shards or nodes come or go.
    layout_changed: watch::Sender<()>,
    /// Where they know the nodes.
    sentinels: Option<Sentinels>,
    metrics: Arc<Metrics>,
}

impl StoreCore {
    /// The connection that an operation on a key with this hash belongs on.
    fn connection_class(&self, hash: u64, kind: &OperationKind<'_>) -> ConnectionClass {
        match kind {
            OperationKind::Get(_) => self.large_keys.class_for(hash),
            OperationKind::Set { bytes, .. } => {
                let lane = ConnectionClass::for_value_bytes(bytes.len());
                self.large_keys.record(hash, self.large_keys.class_for(hash), bytes.len());
                lane
            }
            OperationKind::Delete => ConnectionClass::Default,
        }
    }
}

/// Where a key lives.
#[derive(Debug, PartialEq, Eq)]
pub struct Location {
    pub shard: String,
    /// Of a Redis Cluster.
    pub slot: Option<u16>,
    /// `None` while nobody knows it yet.
    pub master: Option<Address>,
    /// The replica that is read first; `None` where the shard has none.
    pub replica: Option<Address>,
}

impl Store {
    /// Lays out the shards; connections come with [`Store::maintain`]. `forget` is told of keys that change and were
    /// read with [`Store::track`]. The error says what is wrong with the certificates for Redis.
    pub fn new(
        settings: &Settings,
        forget: Option<InvalidationHandler>,
        metrics: Arc<Metrics>,
    ) -> Result<Self, String> {
        let clock = Clock::default();
        let mut store = StoreCore {
            map: ArcSwap::from_pointee(ShardMap::new(Routing::Ring(Ring::new([])), Vec::new())),
            node_context: NodeContext { clock, on_invalidation: forget, events: Arc::clone(&metrics.events) },
            recent_changes: RecentChanges::new(clock),
            sync_tokens: SyncTokens::new(clock, settings.auth.jwt_secret.expose_secret().as_bytes()),
            large_keys: LargeKeys::default(),
            layout_changed: watch::Sender::new(()),
            cluster: None,
            sentinels: None,
            metrics,
        };
        store.create_shards(settings)?;
        Ok(Self(Arc::new(store)))
    }

    /// A token that covers everything this process has acknowledged until now.
    pub fn sync_token(&self) -> SyncToken {
        self.0.sync_tokens.token()
    }

    /// A token that covers nothing.
    pub fn empty_sync_token(&self) -> SyncToken {
        self.0.sync_tokens.empty_token()
    }

    /// How fresh reads have to be to show what the token covers.
    pub fn freshness(&self, token: &SyncToken) -> Freshness {
        self.0.sync_tokens.freshness(token)
    }

    /// Takes over the shards and replicas of other settings while requests are served. Of `settings.redis` nothing
    /// changes until the next start: it is what this store was made with.
    pub fn apply(&self, settings: &Settings) -> Result<(), String> {
        self.0.sync_tokens.set_secret(settings.auth.jwt_secret.expose_secret().as_bytes());
        self.0.apply(settings)
    }

    /// Keeps all connections open and follows promotions until it is dropped: run it as a background task. Connections
    /// live on the event loops of the workers, or, where there are none, on the one that this runs on.
    pub async fn run(self, workers: Vec<Handle>) {
        supervisor::run(&self.0, workers).await;
    }

    /// The bytes under `key`, from a replica where there is one that is fresh enough.
    pub async fn get(
        &self,
        key: &FullKey<'_>,
        freshness: Freshness,
        deadline: Deadline,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        get::get(&self.0, key, freshness, deadline).await
    }

    /// As [`Store::get`]; where the answer may be kept, its origin comes with it.
    pub async fn get_tracked(
        &self,
        key: &FullKey<'_>,
        freshness: Freshness,
        deadline: Deadline,
    ) -> Result<TrackedValue, StoreError> {
        get::get_tracked(&self.0, key, freshness, deadline).await
    }

    /// True if the value was found to be large lately.
    pub fn is_large(&self, key: &FullKey<'_>) -> bool {
        self.0.large_keys.class_for(self.0.map.load().locate(key).1) == ConnectionClass::LargeValue
    }

    /// True if a read would now go where an earlier answer came from, and that answer would still be the same.
    pub fn may_serve_cached(&self, source: &TrackedSource, key: &FullKey<'_>, freshness: Freshness) -> bool {
        get::may_serve_cached(&self.0, source, key, freshness)
    }

    /// Stores what `set` says under `key`, on the master. Returns how many replicas had it, as far as that was waited
    /// for.
    pub async fn set(&self, key: &FullKey<'_>, set: &OperationKind<'_>, deadline: Deadline) -> Result<u32, StoreError> {
        let answer = write::write(&self.0, key, set, deadline).await?;
        Ok(if let Answer::Stored { replicas } = answer { replicas } else { 0 })
    }

    /// Deletes what is under `key`, on the master; tells whether there was anything.
    pub async fn delete(&self, key: &FullKey<'_>, deadline: Deadline) -> Result<bool, StoreError> {
        let answer = write::write(&self.0, key, &OperationKind::Delete, deadline).await?;
        Ok(answer == Answer::Deleted(true))
    }

    /// Runs operations, one round trip per node touched and all nodes at once; answers in their order. What is read may
    /// have `room` bytes together.
    pub async fn batch(
        &self,
        operations: &[Operation<'_>],
        room: usize,
        deadline: Deadline,
    ) -> Vec<Result<Answer, StoreError>> {
        batch::run(&self.0, operations, room, deadline).await
    }

    /// How each shard is, as far as is known without asking.
    pub fn health(&self) -> Vec<ShardHealth> {
        self.0.map.load().shards().iter().map(|shard| shard.health()).collect()
    }

    /// What is wrong with those who know the nodes.
    pub fn topology_problems(&self) -> Vec<String> {
        self.0.sentinels.as_ref().map(Sentinels::problems).unwrap_or_default()
    }

    /// Waits until the nodes of the key's shard are known. They become known while [`Store::maintain`] runs.
    pub async fn wait_until_known(&self, key: &FullKey<'_>) {
        let mut layout = self.0.layout_changed.subscribe();
        while self.locate(key).master.is_none() {
            if layout.changed().await.is_err() {
                return;
            }
        }
    }

    /// Where a key lives.
    pub fn locate(&self, key: &FullKey<'_>) -> Location {
        let route = self.0.map.load().route(key);
        Location { slot: self.0.slot(key), ..route.shard.locate(route.hash) }
    }

    /// The slot of a key in a Redis Cluster.
    pub fn slot(&self, key: &FullKey<'_>) -> Option<u16> {
        self.0.slot(key)
    }

    /// Learns once where a key is, where that has to be asked, instead of [`Store::maintain`]. The error says why that
    /// was not possible.
    pub async fn discover(&self, key: &FullKey<'_>, within: Duration) -> Result<(), String> {
        if let Some(cluster) = &self.0.cluster {
            let discovered = cluster.discover(&self.0, within).await;
            return discovered.map_err(|error| format!("the nodes of the cluster cannot be asked: {error}"));
        }
        tokio::select! {
            () = self.clone().run(Vec::new()) => {}
            // If it is not known by then, that is said.
            _ = timeout(within, self.wait_until_known(key)) => {}
        }
        if self.locate(key).master.is_some() {
            return Ok(());
        }
        let (shard, problems) = (self.locate(key).shard, self.topology_problems().join("; "));
        Err(format!("who knows the nodes of shard \"{shard}\" did not name them in time: {problems}"))
    }
}
