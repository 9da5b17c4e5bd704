//! The only place that knows Redis: which shard and node a key is on, connections, commands.
//!
//! Commands go to nodes over multiplexed connections that background tasks ([`Store::maintain`]) keep open; a
//! request never opens one itself.

mod batch;
mod commands;
mod connect;
mod durable;
mod error;
mod freshness;
mod gather;
mod get;
mod hedge;
mod keep;
mod lanes;
mod layout;
mod link;
mod maintain;
mod map;
mod members;
mod node;
mod roles;
mod shard;
mod standing;
mod sync;
mod warm_up;
mod write;

pub use error::{Advice, StoreError};
pub use freshness::{Freshness, Moment};
pub use shard::ShardHealth;
pub use sync::SyncToken;

use crate::{
    ring::Ring,
    settings::Settings,
    types::{Address, Deadline, FullKey, Ttl},
};
use arc_swap::ArcSwap;
use freshness::{Changes, Clock};
use lanes::{Lane, LargeKeys};
use map::{Map, Routing};
use secrecy::ExposeSecret;
use std::{borrow::Cow, sync::Arc, time::Duration};
use sync::Sync;
use tokio::{sync::watch, time::Instant};

/// All shards. A clone is a handle on the same store.
#[derive(Clone)]
pub struct Store(Arc<Inner>);

struct Inner {
    map: ArcSwap<Map>,
    changes: Changes,
    sync: Sync,
    large_keys: LargeKeys,
    /// Told when shards or nodes come or go.
    layout: watch::Sender<()>,
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

/// One command of a batch.
pub struct Operation<'a> {
    pub key: FullKey<'a>,
    pub kind: OperationKind<'a>,
}

pub enum OperationKind<'a> {
    Get(Freshness),
    Set {
        bytes: Cow<'a, [u8]>,
        ttl: Ttl,
        /// So many replicas have to have it; that is waited for within the deadline.
        replicas: u32,
    },
    Delete,
}

impl OperationKind<'_> {
    /// How many replicas have to have it.
    fn replicas(&self) -> u32 {
        if let Self::Set { replicas, .. } = self { *replicas } else { 0 }
    }
}

/// What an operation came to.
#[derive(Debug, PartialEq, Eq)]
pub enum Answer {
    /// Of a GET: the bytes, or that there are none.
    Got(Option<Vec<u8>>),
    /// Of a SET: how many replicas had it when that was waited for.
    Stored { replicas: u32 },
    /// Of a DELETE: whether there was something to delete.
    Deleted(bool),
}

/// Keys that move because shards came, went, or changed their weights.
#[derive(Debug)]
pub struct WarmUp {
    pub added: Vec<String>,
    pub removed: Vec<String>,
    pub left: Duration,
}

/// Where a key lives.
#[derive(Debug, PartialEq, Eq)]
pub struct Location {
    pub shard: String,
    /// `None` while nobody knows it yet.
    pub master: Option<Address>,
    /// The replica that is read first; `None` where the shard has none.
    pub replica: Option<Address>,
}

impl Store {
    /// Lays out the shards; connections come with [`Store::maintain`]. The error says what is wrong with the
    /// certificates for Redis.
    pub fn new(settings: &Settings) -> Result<Self, String> {
        let clock = Clock::default();
        let store = Inner {
            map: ArcSwap::from_pointee(Map::new(Routing::Ring(Ring::new([])), Vec::new())),
            changes: Changes::new(clock),
            sync: Sync::new(clock, settings.auth.jwt_secret.expose_secret().as_bytes()),
            large_keys: LargeKeys::default(),
            layout: watch::Sender::new(()),
        };
        store.apply(settings)?;
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
        self.0.apply(settings)
    }

    /// Which shards came and went, and how long their keys will yet move; `None` if none do.
    pub fn warm_up(&self) -> Option<WarmUp> {
        let map = self.0.map.load();
        let previous = map.previous()?;
        let names = |map: &Map| map.shards().iter().map(|shard| shard.name.to_string()).collect::<Vec<_>>();
        let (now, before) = (names(&map), names(&previous.map));
        Some(WarmUp {
            added: now.iter().filter(|name| !before.contains(name)).cloned().collect(),
            removed: before.into_iter().filter(|name| !now.contains(name)).collect(),
            left: previous.until.saturating_duration_since(Instant::now()),
        })
    }

    /// Keeps all connections open and follows promotions until it is dropped: run it as a background task.
    pub async fn maintain(self) {
        maintain::maintain(&self.0).await;
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

    /// Runs operations, one round trip per node touched and all nodes at once; answers in their order.
    pub async fn batch(&self, operations: &[Operation<'_>], deadline: Deadline) -> Vec<Result<Answer, StoreError>> {
        batch::run(&self.0, operations, deadline).await
    }

    /// How each shard is, as far as is known without asking.
    pub fn health(&self) -> Vec<ShardHealth> {
        self.0.map.load().shards().iter().map(|shard| shard.health()).collect()
    }

    /// Where a key lives.
    pub fn locate(&self, key: &FullKey<'_>) -> Location {
        let route = self.0.map.load().route(key);
        route.shard.locate(route.hash)
    }
}

/// Notes a change when it is over, however it ended, also if its caller went away.
struct Noted<'a> {
    changes: &'a Changes,
    hash: u64,
}

impl Drop for Noted<'_> {
    fn drop(&mut self) {
        self.changes.note(self.hash);
    }
}
