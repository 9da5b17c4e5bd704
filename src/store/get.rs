//! GET: from a replica that is fresh enough, then from whoever is left.

use super::{
    Freshness, Inner, OperationKind, StoreError,
    commands::{command, got},
    error::{Advice, NodeError},
    freshness::Wish,
    hedge::Hedge,
    lanes::Lane,
    map::Route,
    node::Node,
    shard::{Shard, Tried},
    warm_up::Moving,
};
use crate::types::{Deadline, FullKey};
use redis::{Cmd, Value};
use std::{pin::pin, sync::Arc};
use tokio::time::{Instant, timeout};

/// The bytes under `key`, from a replica where there is one that is fresh enough.
pub async fn get(
    store: &Inner,
    key: &FullKey<'_>,
    freshness: Freshness,
    deadline: Deadline,
) -> Result<Option<Vec<u8>>, StoreError> {
    let (now, before) = store.map.load().routes(key);
    let answer = run(store, &now, key, freshness, deadline).await?;
    match (answer, before) {
        (None, Some(before)) => Box::pin(Moving { store, key, now, before, deadline }.fetch()).await,
        (answer, _) => Ok(answer),
    }
}

/// Reads from one shard.
pub async fn run(
    store: &Inner,
    Route { shard, hash }: &Route,
    key: &FullKey<'_>,
    freshness: Freshness,
    deadline: Deadline,
) -> Result<Option<Vec<u8>>, StoreError> {
    let kind = OperationKind::Get(freshness);
    let lane = store.lane(*hash, &kind);
    let read = Read { shard, wish: store.changes.wish(*hash, freshness), command: command(key, &kind), lane, deadline };
    let answer = read.run().await;
    if let Ok(Some(bytes)) = &answer {
        store.large_keys.note(*hash, lane, bytes.len());
    }
    answer
}

/// One read.
struct Read<'a> {
    shard: &'a Shard,
    wish: Wish,
    command: Cmd,
    lane: Lane,
    deadline: Deadline,
}

impl Read<'_> {
    async fn run(&self) -> Result<Option<Vec<u8>>, StoreError> {
        let mut tried = Tried::default();
        loop {
            let node = self.shard.reader(&self.wish, &tried, self.deadline).await?;
            let connection = node.connection();
            let answer = match &self.shard.hedge {
                None => self.ask(&node, &tried).await,
                Some(hedge) => Box::pin(self.ask_hedged(hedge, &node, &tried)).await,
            };
            if let Ok(value) = &answer {
                self.shard.note_value(value);
            }
            match answer.and_then(got) {
                Err(error) if error.advice() == Advice::RetryElsewhere => tried.note(&node, connection, error),
                answer => return answer.map_err(|error| self.shard.read_failure(error)),
            }
        }
    }

    async fn ask(&self, node: &Arc<Node>, tried: &Tried) -> Result<Value, NodeError> {
        let patience = self.shard.patience(&self.wish, tried, node, self.deadline);
        node.ask(&self.command, self.lane, patience).await
    }

    /// Asks a second node as well when the first one takes long; the first good answer wins.
    async fn ask_hedged(&self, hedge: &Hedge, node: &Arc<Node>, tried: &Tried) -> Result<Value, NodeError> {
        let start = Instant::now();
        let mut first = pin!(self.ask(node, tried));
        let answer = match timeout(hedge.wait(), &mut first).await {
            Ok(answer) => answer,
            Err(_) => match self.shard.second(&self.wish, tried, node).filter(|_| hedge.take()) {
                None => first.await,
                Some(other) => {
                    let mut second = pin!(self.ask(&other, tried));
                    tokio::select! {
                        answer = &mut first => if answer.is_ok() { answer } else { second.await },
                        answer = &mut second => if answer.is_ok() { answer } else { first.await },
                    }
                }
            },
        };
        hedge.note(start.elapsed());
        answer
    }
}
