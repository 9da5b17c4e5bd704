//! GET: from a replica that is fresh enough, then from whoever is left.

use crate::{
    store::{
        Freshness, Inner, OperationKind, StoreError,
        cluster::{Errand, Refused},
        error::{Advice, NodeError},
        freshness::Wish,
        map::Route,
        node::{Node, lanes::Lane},
        operation::commands::{command, got},
        operation::warm_up::Moving,
        shard::{Shard, Tried, hedge::Hedge},
    },
    types::{Deadline, FullKey},
};
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
    store.settle(deadline).await;
    let (now, before) = store.map.load().routes(key);
    let answer = run(store, &now, key, freshness, deadline).await?;
    match (answer, before) {
        // Boxed, so that the usual way does not carry its size.
        (None, Some(before)) => Box::pin(Moving { store, key, now, before, freshness, deadline }.fetch()).await,
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
    let wish = store.changes.wish(*hash, freshness);
    let read = Read { store, shard, key, kind: &kind, wish, command: command(key, &kind), lane, deadline };
    let answer = read.run().await;
    if let Ok(Some(bytes)) = &answer {
        store.large_keys.note(*hash, lane, bytes.len());
    }
    answer
}

/// One read.
struct Read<'a> {
    store: &'a Inner,
    key: &'a FullKey<'a>,
    kind: &'a OperationKind<'a>,
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
            let node = match self.shard.reader(&self.wish, &tried, self.deadline).await {
                Ok(node) => node,
                Err(error) => return self.shard.miss_or(&tried, error),
            };
            let (node, connection, answer) = match &self.shard.hedge {
                None => self.ask(node, &tried).await,
                Some(hedge) => Box::pin(self.ask_hedged(hedge, node, &tried)).await,
            };
            if let Ok(value) = &answer {
                self.shard.note_value(value);
            }
            match answer.and_then(got) {
                Err(error) if self.store.follows(&error, self.shard, &node) => {
                    let Self { key, kind, command, lane, deadline, .. } = self;
                    let errand = Errand { key, command, kind, lane: *lane, deadline: *deadline };
                    let refused = Some(Refused { node, error });
                    return Box::pin(self.store.follow(&errand, refused, |value, _| got(value))).await;
                }
                Ok(None) if self.store.doubts_miss(self.shard, &node) => tried.note_miss(),
                Err(error) if error.advice() == Advice::RetryElsewhere => tried.note(&node, connection, error),
                answer => {
                    if answer.is_ok() {
                        self.store.note_fallback(self.shard, &self.wish, &tried, &node);
                    }
                    return answer.map_err(|error| self.shard.read_failure(error));
                }
            }
        }
    }

    /// Asks a node; comes back with it, and the count of its connections before.
    async fn ask(&self, node: Arc<Node>, tried: &Tried) -> Asked {
        let patience = self.shard.patience(&self.wish, tried, &node, self.deadline);
        let connection = node.connection();
        let answer = node.ask(&self.command, self.lane, patience).await;
        (node, connection, answer)
    }

    /// Asks a second node as well when the first one takes long; the first good answer wins.
    async fn ask_hedged(&self, hedge: &Hedge, node: Arc<Node>, tried: &Tried) -> Asked {
        let start = Instant::now();
        let other = || self.shard.second(&self.wish, tried, &node);
        let mut first = pin!(self.ask(Arc::clone(&node), tried));
        let answer = match timeout(hedge.wait(), &mut first).await {
            Ok(answer) => answer,
            Err(_) => match other().filter(|_| hedge.take()) {
                None => first.await,
                Some(other) => {
                    self.store.metrics.hedges.count();
                    let mut second = pin!(self.ask(other, tried));
                    let asked = tokio::select! {
                        asked = &mut first => if asked.2.is_ok() { asked } else { second.await },
                        asked = &mut second => if asked.2.is_ok() { asked } else { first.await },
                    };
                    if asked.0.id != node.id && asked.2.is_ok() {
                        self.store.metrics.hedges_won.count();
                    }
                    asked
                }
            },
        };
        hedge.note(start.elapsed());
        answer
    }
}

/// Who was asked, the count of its connections before, and what came of it.
type Asked = (Arc<Node>, u64, Result<Value, NodeError>);
