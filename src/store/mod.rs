//! The only place that knows Redis: which shard and node a key is on, connections, commands.
//!
//! Commands go to nodes over multiplexed connections that background tasks ([`Store::maintain`]) keep open; a
//! request never opens one itself.

mod batch;
mod cluster;
mod commands;
mod connect;
mod error;
mod freshness;
mod keep;
mod link;
mod maintain;
mod map;
mod members;
mod node;
mod roles;
mod shard;
mod standing;

pub use error::{Advice, StoreError};
pub use freshness::{Freshness, Moment};
pub use shard::ShardHealth;

use crate::{
    ring::Ring,
    settings::{self, Settings, Topology},
    types::{Address, Deadline, FullKey, Ttl},
};
use arc_swap::ArcSwap;
use cluster::{Cluster, Errand, Refused};
use commands::{answer_to, command};
use error::WriteFailure;
use freshness::{Changes, Clock};
use link::{GiveUp, Patience};
use map::{Map, Routing};
use shard::{Shard, Tried};
use std::{borrow::Cow, sync::Arc, time::Duration};
use tokio::sync::watch;

/// All shards. A clone is a handle on the same store.
#[derive(Clone)]
pub struct Store(Arc<Inner>);

struct Inner {
    map: ArcSwap<Map>,
    changes: Changes,
    /// Where the shards are those of a Redis Cluster.
    cluster: Option<Cluster>,
    /// Told when shards or nodes come or go.
    layout: watch::Sender<()>,
}

/// One command of a batch.
pub struct Operation<'a> {
    pub key: FullKey<'a>,
    pub kind: OperationKind<'a>,
}

pub enum OperationKind<'a> {
    Get,
    Set { bytes: Cow<'a, [u8]>, ttl: Ttl },
    Delete,
}

/// What an operation came to.
#[derive(Debug, PartialEq, Eq)]
pub enum Answer {
    /// Of a GET: the bytes, or that there are none.
    Got(Option<Vec<u8>>),
    Stored,
    /// Of a DELETE: whether there was something to delete.
    Deleted(bool),
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
    /// Lays out the shards; connections come with [`Store::maintain`]. The error says what is wrong with the
    /// certificates for Redis.
    pub fn new(settings: &Settings) -> Result<Self, String> {
        let (clock, layout) = (Clock::default(), watch::Sender::new(()));
        let shard = |shard: &settings::Shard| {
            let laid_out = Shard::new(&shard.name, &settings.redis, clock, &layout);
            let addresses: Vec<Address> = std::iter::once(&shard.master).chain(&shard.replicas).cloned().collect();
            laid_out.set_nodes(&addresses, &settings.redis).map(|()| Arc::new(laid_out))
        };
        if let Topology::Cluster(seeds) = &settings.topology {
            let cluster = Cluster::new(seeds, &settings.redis, clock, &layout)?;
            let map = ArcSwap::from_pointee(cluster.blank());
            return Ok(Self(Arc::new(Inner { map, changes: Changes::new(clock), cluster: Some(cluster), layout })));
        }
        let Topology::Static(listed) = &settings.topology else { return Err("not yet".to_owned()) };
        let shards = listed.iter().map(shard).collect::<Result<_, _>>()?;
        let ring = Ring::new(listed.iter().map(|shard| (shard.name.as_str(), shard.weight)));
        let map = ArcSwap::from_pointee(Map::new(Routing::Ring(ring), shards));
        Ok(Self(Arc::new(Inner { map, changes: Changes::new(clock), cluster: None, layout })))
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
        let route = self.0.route(key, deadline).await;
        let (shard, wish) = (&route.shard, self.0.changes.wish(route.hash, freshness));
        let command = command(key, &OperationKind::Get);
        let mut tried = Tried::default();
        loop {
            let node = match shard.reader(&wish, &tried, deadline).await {
                Ok(node) => node,
                Err(error) => return tried.miss_or(error),
            };
            let answer = node.ask(&command, shard.patience(&wish, &tried, &node, deadline)).await;
            if let Ok(value) = &answer {
                shard.note_value(value);
            }
            match answer.and_then(commands::got) {
                Err(error) if self.0.follows(&error, shard, &node) => {
                    let errand = Errand { key, command: &command, is_change: false, deadline };
                    return self.0.follow(&errand, Some(Refused { node, error }), commands::got).await;
                }
                Ok(None) if self.0.doubts_miss(shard, &node) => tried.note_miss(),
                Err(error) if error.advice() == Advice::RetryElsewhere => tried.note(&node, error),
                answer => return answer.map_err(|error| shard.read_failure(error)),
            }
        }
    }

    /// Stores `bytes` under `key`, on the master.
    pub async fn set(&self, key: &FullKey<'_>, bytes: &[u8], ttl: Ttl, deadline: Deadline) -> Result<(), StoreError> {
        let kind = OperationKind::Set { bytes: Cow::Borrowed(bytes), ttl };
        self.write(key, &kind, deadline).await.map(|_| ())
    }

    /// Deletes what is under `key`, on the master; tells whether there was anything.
    pub async fn delete(&self, key: &FullKey<'_>, deadline: Deadline) -> Result<bool, StoreError> {
        self.write(key, &OperationKind::Delete, deadline).await.map(|answer| answer == Answer::Deleted(true))
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
        Location { slot: self.0.slot(key), ..route.shard.locate(route.hash) }
    }

    /// The slot of a key in a Redis Cluster.
    pub fn slot(&self, key: &FullKey<'_>) -> Option<u16> {
        self.0.slot(key)
    }

    /// Learns once where keys are, where that has to be asked, without [`Store::maintain`]. The error says why it
    /// cannot.
    pub async fn discover(&self, within: Duration) -> Result<(), String> {
        match &self.0.cluster {
            Some(cluster) => cluster.discover(&self.0, within).await,
            None => Ok(()),
        }
    }

    async fn write(
        &self,
        key: &FullKey<'_>,
        kind: &OperationKind<'_>,
        deadline: Deadline,
    ) -> Result<Answer, StoreError> {
        let route = self.0.route(key, deadline).await;
        let shard = &route.shard;
        let command = command(key, kind);
        let patience = Patience { deadline, give_up: GiveUp::AtDeadline };
        let _noted = Noted { changes: &self.0.changes, hash: route.hash };
        let mut tried = Tried::default();
        loop {
            let node = shard.writer(&tried, deadline).await?;
            match node.ask(&command, patience).await.and_then(|value| answer_to(kind, value)) {
                Err(error) if self.0.follows(&error, shard, &node) => {
                    let errand = Errand { key, command: &command, is_change: true, deadline };
                    return self.0.follow(&errand, Some(Refused { node, error }), |value| answer_to(kind, value)).await;
                }
                Err(error) if error.did_not_run() => {
                    node.doubt();
                    tried.note(&node, error);
                }
                answer => return answer.map_err(|error| shard.write_failure(WriteFailure(error))),
            }
        }
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
