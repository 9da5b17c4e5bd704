//! The only place that knows Redis: which shard and node a key is on, connections, commands.
//!
//! Commands go to nodes over multiplexed connections that background tasks ([`Store::maintain`]) keep open; a
//! request never opens one itself.

mod batch;
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
mod sentinel;
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
use commands::{answer_to, command};
use error::WriteFailure;
use freshness::{Changes, Clock};
use link::{GiveUp, Patience};
use map::{Map, Routing};
use sentinel::Sentinels;
use shard::{Shard, Tried};
use std::{borrow::Cow, sync::Arc};
use tokio::sync::watch;

/// All shards. A clone is a handle on the same store.
#[derive(Clone)]
pub struct Store(Arc<Inner>);

struct Inner {
    map: ArcSwap<Map>,
    changes: Changes,
    /// Told when shards or nodes come or go.
    layout: watch::Sender<()>,
    /// Where they know the nodes.
    sentinels: Option<Sentinels>,
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
        let unknown = |name: &str| Arc::new(Shard::new(name, &settings.redis, clock, &layout));
        let (ring, shards, sentinels) = match &settings.topology {
            Topology::Static(listed) => {
                let shard = |shard: &settings::Shard| {
                    let laid_out = unknown(&shard.name);
                    let addresses: Vec<_> = std::iter::once(&shard.master).chain(&shard.replicas).cloned().collect();
                    laid_out.set_nodes(&addresses, &settings.redis).map(|()| laid_out)
                };
                let shards = listed.iter().map(shard).collect::<Result<Vec<_>, _>>()?;
                (Ring::new(listed.iter().map(|shard| (shard.name.as_str(), shard.weight))), shards, None)
            }
            Topology::Sentinel(sentinels) => {
                let watched = &sentinels.shards;
                let shards: Vec<_> = watched.iter().map(|shard| unknown(&shard.name)).collect();
                let ring = Ring::new(watched.iter().map(|shard| (shard.name.as_str(), shard.weight)));
                let sentinels = Sentinels::new(sentinels, &shards, &settings.redis)?;
                (ring, shards, Some(sentinels))
            }
            Topology::Cluster(_) => return Err("not yet".to_owned()),
        };
        let map = ArcSwap::from_pointee(Map::new(Routing::Ring(ring), shards));
        Ok(Self(Arc::new(Inner { map, changes: Changes::new(clock), layout, sentinels })))
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
        let route = self.0.map.load().route(key);
        let (shard, wish) = (&route.shard, self.0.changes.wish(route.hash, freshness));
        let command = command(key, &OperationKind::Get);
        let mut tried = Tried::default();
        loop {
            let node = shard.reader(&wish, &tried, deadline).await?;
            let answer = node.ask(&command, shard.patience(&wish, &tried, &node, deadline)).await;
            if let Ok(value) = &answer {
                shard.note_value(value);
            }
            match answer.and_then(commands::got) {
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
        route.shard.locate(route.hash)
    }

    async fn write(
        &self,
        key: &FullKey<'_>,
        kind: &OperationKind<'_>,
        deadline: Deadline,
    ) -> Result<Answer, StoreError> {
        let route = self.0.map.load().route(key);
        let shard = &route.shard;
        let command = command(key, kind);
        let patience = Patience { deadline, give_up: GiveUp::AtDeadline };
        let _noted = Noted { changes: &self.0.changes, hash: route.hash };
        let mut tried = Tried::default();
        loop {
            let node = shard.writer(&tried, deadline).await?;
            match node.ask(&command, patience).await.and_then(|value| answer_to(kind, value)) {
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
