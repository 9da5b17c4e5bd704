//! The only place that knows Redis: which shard and node a key is on, connections, commands.
//!
//! Commands go to nodes over multiplexed connections that background tasks ([`Store::maintain`]) keep open; a
//! request never opens one itself.

mod batch;
mod connect;
mod error;
mod keep;
mod link;
mod node;
mod shard;
mod standing;

pub use error::{Advice, StoreError};
pub use shard::ShardHealth;

use crate::{
    ring::{Ring, key_hash},
    settings::Settings,
    types::{Address, Deadline, FullKey, Ttl},
};
use error::{NodeError, WriteFailure};
use link::Patience;
use redis::{Cmd, Value};
use shard::{Shard, Tried};
use std::{borrow::Cow, sync::Arc};
use tokio::task::JoinSet;

/// All shards. A clone is a handle on the same store.
#[derive(Clone)]
pub struct Store(Arc<Inner>);

struct Inner {
    ring: Ring,
    /// In the order of the ring's list.
    shards: Vec<Shard>,
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
    pub master: Address,
    /// The replica that is read first; `None` where the shard has none.
    pub replica: Option<Address>,
}

impl Store {
    /// Lays out the shards; connections come with [`Store::maintain`]. The error says what is wrong with the
    /// certificates for Redis.
    pub fn new(settings: &Settings) -> Result<Self, String> {
        let shards = settings.shards.iter().map(|shard| Shard::new(shard, &settings.redis));
        let shards: Vec<Shard> = shards.collect::<Result<_, _>>()?;
        let ring = Ring::new(settings.shards.iter().map(|shard| (shard.name.as_str(), shard.weight)));
        Ok(Self(Arc::new(Inner { ring, shards })))
    }

    /// Takes over the shards and replicas of other settings while requests are served. Of `settings.redis` nothing
    /// changes until the next start: it is what this store was made with.
    pub fn apply(&self, _settings: &Settings) -> Result<(), String> {
        Ok(())
    }

    /// Keeps all connections open and follows promotions until it is dropped: run it as a background task.
    pub async fn maintain(self) {
        let mut tasks = JoinSet::new();
        for position in 0..self.0.shards.len() {
            let inner = Arc::clone(&self.0);
            tasks.spawn(async move { inner.shards[position].watch_roles().await });
        }
        for node in self.0.shards.iter().flat_map(Shard::nodes) {
            for number in 0..node.links() {
                tasks.spawn(keep::keep(Arc::clone(node), number));
            }
        }
        // None of them ends by itself; the defect that ended one ends the process, for it can't be served without.
        if let Some(Err(error)) = tasks.join_next().await {
            tracing::error!(%error, "a background task failed");
        }
    }

    /// The bytes under `key`, from a replica where there is one.
    pub async fn get(&self, key: &FullKey<'_>, deadline: Deadline) -> Result<Option<Vec<u8>>, StoreError> {
        let (shard, hash) = self.route(key);
        let command = command(key, &OperationKind::Get);
        let mut tried = Tried::default();
        loop {
            let node = shard.reader(hash, &tried, deadline).await?;
            let answer = shard.ask(node, &command, shard.patience(hash, &tried, node, deadline)).await;
            if let Ok(value) = &answer {
                shard.note_value(value);
            }
            match answer.and_then(got) {
                Err(error) if error.advice() == Advice::RetryElsewhere => tried.note(node, error),
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
        batch::run(self, operations, deadline).await
    }

    /// How each shard is, as far as is known without asking.
    pub fn health(&self) -> Vec<ShardHealth> {
        self.0.shards.iter().map(Shard::health).collect()
    }

    /// Where a key lives.
    pub fn locate(&self, key: &FullKey<'_>) -> Location {
        let (shard, hash) = self.route(key);
        shard.locate(hash)
    }

    async fn write(
        &self,
        key: &FullKey<'_>,
        kind: &OperationKind<'_>,
        deadline: Deadline,
    ) -> Result<Answer, StoreError> {
        let (shard, _) = self.route(key);
        let command = command(key, kind);
        let patience = Patience { deadline, may_go_elsewhere: false };
        let mut tried = Tried::default();
        loop {
            let node = shard.writer(&tried, deadline).await?;
            match shard.ask(node, &command, patience).await.and_then(|value| answer_to(kind, value)) {
                Err(error) if error.did_not_run() => {
                    shard.node(node).doubt();
                    tried.note(node, error);
                }
                answer => return answer.map_err(|error| shard.write_failure(WriteFailure(error))),
            }
        }
    }

    fn route(&self, key: &FullKey<'_>) -> (&Shard, u64) {
        let hash = key_hash(key.as_bytes());
        (&self.0.shards[self.0.ring.owner(hash)], hash)
    }
}

/// The Redis command for an operation.
fn command(key: &FullKey<'_>, kind: &OperationKind<'_>) -> Cmd {
    let mut command = Cmd::new();
    match kind {
        OperationKind::Get => command.arg("GET").arg(key.as_bytes()),
        // UNLINK is DEL that frees large values outside Redis's main thread.
        OperationKind::Delete => command.arg("UNLINK").arg(key.as_bytes()),
        OperationKind::Set { bytes, ttl } => {
            command.arg("SET").arg(key.as_bytes()).arg(bytes.as_ref());
            match ttl {
                Ttl::Never => &mut command,
                Ttl::Secs(secs) => command.arg("EX").arg(secs.get()),
            }
        }
    };
    command
}

fn answer_to(kind: &OperationKind<'_>, value: Value) -> Result<Answer, NodeError> {
    match (kind, value) {
        (_, Value::ServerError(error)) => Err(NodeError::from(&error)),
        (OperationKind::Get, value) => got(value).map(Answer::Got),
        (OperationKind::Set { .. }, Value::Okay) => Ok(Answer::Stored),
        (OperationKind::Delete, Value::Int(deleted)) => Ok(Answer::Deleted(deleted > 0)),
        _ => Err(NodeError::Unexpected),
    }
}

fn got(value: Value) -> Result<Option<Vec<u8>>, NodeError> {
    match value {
        Value::BulkString(bytes) => Ok(Some(bytes)),
        Value::Nil => Ok(None),
        Value::ServerError(error) => Err(NodeError::from(&error)),
        _ => Err(NodeError::Unexpected),
    }
}
