//! GET: from a replica that is fresh enough, then from whoever is left.

use crate::{
    store::{
        Freshness, Inner, OperationKind, Origin, Source, StoreError, Tracked,
        consistency::Wish,
        error::{Advice, NodeError},
        node::{Node, connection_class::Lane},
        operation::{Errand, Refused},
        protocol::command::{command, got, time_left, tracked},
        shard::{Shard, Tried, hedge::Hedge},
        shard_map::Route,
    },
    telemetry::{metrics::Outcome, traces},
    types::{Deadline, FullKey},
};
use redis::{Cmd, Pipeline, Value};
use std::{pin::pin, sync::Arc};
use tokio::time::{Instant, timeout};
use tracing::Instrument;

/// The bytes under `key`, from a replica where there is one that is fresh enough.
pub async fn get(
    store: &Inner,
    key: &FullKey<'_>,
    freshness: Freshness,
    deadline: Deadline,
) -> Result<Option<Vec<u8>>, StoreError> {
    store.settle(deadline).await;
    let route = store.map.load().route(key);
    read(store, &route, key, freshness, None, deadline).await.map(|read| read.bytes)
}

/// As [`get`]; where the node says when keys change, with the origin of the answer.
pub async fn track(
    store: &Inner,
    key: &FullKey<'_>,
    freshness: Freshness,
    deadline: Deadline,
) -> Result<Tracked, StoreError> {
    store.settle(deadline).await;
    let route = store.map.load().route(key);
    let mut found = read(store, &route, key, freshness, Some(tracked(key)), deadline).await?;
    // Of what it does not have, a node of a cluster says nothing when its slot goes elsewhere.
    if found.bytes.is_none() && store.cluster.is_some() {
        found.origin = None;
    }
    Ok(found)
}

/// True if a read would now go where an earlier answer came from, and that answer would still be the same.
pub fn would_answer(store: &Inner, source: &Source, key: &FullKey<'_>, freshness: Freshness) -> bool {
    if !source.is_current() {
        return false;
    }
    let map = store.map.load();
    let (shard, hash) = map.place(key);
    let wish = store.changes.wish(hash, freshness);
    let covered = !wish.master_only && (!wish.strict || source.covers >= wish.since);
    covered && map.shard(shard).would_read(&wish, source.node)
}

async fn read(
    store: &Inner,
    Route { shard, hash }: &Route,
    key: &FullKey<'_>,
    freshness: Freshness,
    tracked: Option<Pipeline>,
    deadline: Deadline,
) -> Result<Tracked, StoreError> {
    let kind = OperationKind::Get(freshness);
    let lane = store.lane(*hash, &kind);
    let wish = store.changes.wish(*hash, freshness);
    let read = Read { store, shard, key, kind: &kind, wish, command: command(key, &kind), tracked, lane, deadline };
    let mut reading = pin!(read.run().instrument(traces::shard(|| shard.name(), "read", 1)));
    let answer = reading.as_mut().await;
    traces::end_with(reading.span(), answer.as_ref().map_or_else(StoreError::outcome, outcome));
    if let Ok(Tracked { bytes: Some(bytes), .. }) = &answer {
        store.large_keys.note(*hash, lane, bytes.len());
    }
    answer
}

fn outcome(answer: &Tracked) -> Outcome {
    if answer.bytes.is_some() { Outcome::Success } else { Outcome::NotFound }
}

/// One read.
struct Read<'a> {
    store: &'a Inner,
    key: &'a FullKey<'a>,
    kind: &'a OperationKind<'a>,
    shard: &'a Shard,
    wish: Wish,
    command: Cmd,
    /// In place of the command, where the node says when the key changes.
    tracked: Option<Pipeline>,
    lane: Lane,
    deadline: Deadline,
}

impl Read<'_> {
    async fn run(&self) -> Result<Tracked, StoreError> {
        let mut tried = Tried::default();
        loop {
            let node = match self.shard.reader(&self.wish, &tried, self.deadline).await {
                Ok(node) => node,
                Err(error) => return self.shard.miss_or(&tried, error).map(Tracked::untracked),
            };
            let Asked { node, connection, answer, said } = match &self.shard.hedge {
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
                    let followed = Box::pin(self.store.follow(&errand, refused, |value, _| got(value))).await;
                    return followed.map(Tracked::untracked);
                }
                Ok(None) if self.store.doubts_miss(self.shard, &node) => tried.note_miss(),
                Err(error) if error.advice() == Advice::RetryElsewhere => tried.note(&node, connection, error),
                Err(error) => return Err(self.shard.read_failure(error)),
                Ok(bytes) => {
                    self.store.note_fallback(self.shard, &self.wish, &tried, &node);
                    return Ok(Tracked::new(bytes, said));
                }
            }
        }
    }

    /// Asks a node; comes back with it, and the count of its connections before.
    async fn ask(&self, node: Arc<Node>, tried: &Tried) -> Asked {
        let patience = self.shard.patience(&self.wish, tried, &node, self.deadline);
        let connection = node.connection();
        let answer = match &self.tracked {
            None => node.ask(&self.command, self.lane, patience).await.map(|value| (value, None)),
            Some(tracked) => node.ask_tracked(&self.command, tracked, self.lane, patience).await,
        };
        let (answer, said) = match answer {
            Ok((value, said)) => (Ok(value), said),
            Err(error) => (Err(error), None),
        };
        Asked { node, connection, answer, said }
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
                        asked = &mut first => if asked.answer.is_ok() { asked } else { second.await },
                        asked = &mut second => if asked.answer.is_ok() { asked } else { first.await },
                    };
                    if asked.node.id != node.id && asked.answer.is_ok() {
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

/// What came of asking a node.
struct Asked {
    node: Arc<Node>,
    /// The count of its connections before.
    connection: u64,
    answer: Result<Value, NodeError>,
    /// Where the answer came from, and what was said of the time that the key has left.
    said: Option<(Source, Value)>,
}

impl Tracked {
    fn untracked(bytes: Option<Vec<u8>>) -> Self {
        Self { bytes, origin: None }
    }

    fn new(bytes: Option<Vec<u8>>, said: Option<(Source, Value)>) -> Self {
        let origin =
            said.and_then(|(source, answer)| time_left(bytes.is_some(), &answer).map(|left| Origin { source, left }));
        Self { bytes, origin }
    }
}
