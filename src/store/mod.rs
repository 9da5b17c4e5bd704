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

pub use consistency::{Freshness, Moment, SyncToken};
pub use error::{Advice, StoreError};
pub use node::tracking::{Forget, Source};
pub use operation::{Origin, REPLY_BYTES_MAX, Sample, Stored, Tracked};
pub use protocol::operation::{Answer, Operation, OperationKind};
pub use shard::ShardHealth;
pub use status::{NodeSurvey, ShardSurvey, Survey};

use crate::{
    ring::Ring,
    settings::Settings,
    telemetry::metrics::Metrics,
    types::{Address, Deadline, FullKey},
};
use arc_swap::ArcSwap;
use consistency::{Changes, Clock, Sync};
use node::{
    Surroundings,
    connection_class::{Lane, LargeKeys},
};
use operation::{batch, get, write};
use secrecy::ExposeSecret;
use shard_map::{Map, Routing};
use std::{sync::Arc, time::Duration};
use tokio::{runtime::Handle, sync::watch, time::timeout};
use topology::{cluster::Cluster, sentinel::Sentinels, supervisor};

/// All shards. A clone is a handle on the same store.
#[derive(Clone)]
pub struct Store(Arc<Inner>);

struct Inner {
    map: ArcSwap<Map>,
    around: Surroundings,
    changes: Changes,
    sync: Sync,
    large_keys: LargeKeys,
    /// Where the shards are those of a Redis Cluster.
    cluster: Option<Cluster>,
    /// Told when shards or nodes come or go.
    layout: watch::Sender<()>,
    /// Where they know the nodes.
    sentinels: Option<Sentinels>,
    metrics: Arc<Metrics>,
}

impl Inner {
    /// The connection that an operation on a key with this hash belongs on.
    fn lane(&self, hash: u64, kind: &OperationKind<'_>) -> Lane {
        match kind {
            OperationKind::Get(_) => self.large_keys.lane(hash),
            OperationKind::Set { bytes, .. } => {
                let lane = Lane::of(bytes.len());
                self.large_keys.note(hash, self.large_keys.lane(hash), bytes.len());
                lane
            }
            OperationKind::Delete => Lane::Usual,
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
    pub fn new(settings: &Settings, forget: Option<Forget>, metrics: Arc<Metrics>) -> Result<Self, String> {
        let clock = Clock::default();
        let mut store = Inner {
            map: ArcSwap::from_pointee(Map::new(Routing::Ring(Ring::new([])), Vec::new())),
            around: Surroundings { clock, forget, events: Arc::clone(&metrics.events) },
            changes: Changes::new(clock),
            sync: Sync::new(clock, settings.auth.jwt_secret.expose_secret().as_bytes()),
            large_keys: LargeKeys::default(),
            layout: watch::Sender::new(()),
            cluster: None,
            sentinels: None,
            metrics,
        };
        store.lay_out(settings)?;
        Ok(Self(Arc::new(store)))
    }

    /// A token that covers everything this process has acknowledged until now.
    pub fn sync_token(&self) -> SyncToken {
        self.0.sync.token()
    }

    /// A token that covers nothing.
    pub fn empty_sync_token(&self) -> SyncToken {
        self.0.sync.empty()
    }

    /// How fresh reads have to be to show what the token covers.
    pub fn freshness(&self, token: &SyncToken) -> Freshness {
        self.0.sync.freshness(token)
    }

    /// Takes over the shards and replicas of other settings while requests are served. Of `settings.redis` nothing
    /// changes until the next start: it is what this store was made with.
    pub fn apply(&self, settings: &Settings) -> Result<(), String> {
        self.0.sync.set_secret(settings.auth.jwt_secret.expose_secret().as_bytes());
        self.0.apply(settings)
    }

    /// Keeps all connections open and follows promotions until it is dropped: run it as a background task. Connections
    /// live on the event loops of the workers, or, where there are none, on the one that this runs on.
    pub async fn maintain(self, workers: Vec<Handle>) {
        supervisor::maintain(&self.0, workers).await;
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
    pub async fn track(
        &self,
        key: &FullKey<'_>,
        freshness: Freshness,
        deadline: Deadline,
    ) -> Result<Tracked, StoreError> {
        get::track(&self.0, key, freshness, deadline).await
    }

    /// True if the value was found to be large lately.
    pub fn is_large(&self, key: &FullKey<'_>) -> bool {
        self.0.large_keys.lane(self.0.map.load().place(key).1) == Lane::Bulk
    }

    /// True if a read would now go where an earlier answer came from, and that answer would still be the same.
    pub fn would_answer(&self, source: &Source, key: &FullKey<'_>, freshness: Freshness) -> bool {
        get::would_answer(&self.0, source, key, freshness)
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
    pub async fn until_known(&self, key: &FullKey<'_>) {
        let mut layout = self.0.layout.subscribe();
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
            () = self.clone().maintain(Vec::new()) => {}
            // If it is not known by then, that is said.
            _ = timeout(within, self.until_known(key)) => {}
        }
        if self.locate(key).master.is_some() {
            return Ok(());
        }
        let (shard, problems) = (self.locate(key).shard, self.topology_problems().join("; "));
        Err(format!("who knows the nodes of shard \"{shard}\" did not name them in time: {problems}"))
    }
}
