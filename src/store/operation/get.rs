//! GET: from a replica that is fresh enough, then from whoever is left.

use crate::{
    store::{
        Freshness, OperationKind, StoreCore, StoreError, TrackedOrigin, TrackedSource, TrackedValue,
        consistency::ReadRequirement,
        error::{Advice, NodeError},
        node::{Node, connection_class::ConnectionClass},
        operation::{RedirectedOperation, Rejection},
        protocol::command::{command, parse_get, parse_time_left, tracked_get},
        shard::{Attempts, Shard, hedge::Hedge},
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
    store: &StoreCore,
    key: &FullKey<'_>,
    freshness: Freshness,
    deadline: Deadline,
) -> Result<Option<Vec<u8>>, StoreError> {
    store.wait_until_known(deadline).await;
    let route = store.map.load().route(key);
    read(store, &route, key, freshness, None, deadline).await.map(|read| read.bytes)
}

/// As [`get`]; where the node says when keys change, with the origin of the answer.
pub async fn get_tracked(
    store: &StoreCore,
    key: &FullKey<'_>,
    freshness: Freshness,
    deadline: Deadline,
) -> Result<TrackedValue, StoreError> {
    store.wait_until_known(deadline).await;
    let route = store.map.load().route(key);
    let mut found = read(store, &route, key, freshness, Some(tracked_get(key)), deadline).await?;
    // Of what it does not have, a node of a cluster says nothing when its slot goes elsewhere.
    if found.bytes.is_none() && store.cluster.is_some() {
        found.origin = None;
    }
    Ok(found)
}

/// True if a read would now go where an earlier answer came from, and that answer would still be the same.
pub fn may_serve_cached(store: &StoreCore, source: &TrackedSource, key: &FullKey<'_>, freshness: Freshness) -> bool {
    if !source.is_current() {
        return false;
    }
    let map = store.map.load();
    let (shard, hash) = map.locate(key);
    let wish = store.recent_changes.requirement(hash, freshness);
    let covered = !wish.master_only && (!wish.strict || source.covers >= wish.since);
    covered && map.shard(shard).would_read(&wish, source.node)
}

async fn read(
    store: &StoreCore,
    Route { shard, hash }: &Route,
    key: &FullKey<'_>,
    freshness: Freshness,
    tracked: Option<Pipeline>,
    deadline: Deadline,
) -> Result<TrackedValue, StoreError> {
    let kind = OperationKind::Get(freshness);
    let lane = store.connection_class(*hash, &kind);
    let wish = store.recent_changes.requirement(*hash, freshness);
    let read =
        ReadOperation { store, shard, key, kind: &kind, wish, command: command(key, &kind), tracked, lane, deadline };
    let mut reading = pin!(read.run().instrument(traces::shard(|| shard.name(), "read", 1)));
    let answer = reading.as_mut().await;
    traces::end_with(reading.span(), answer.as_ref().map_or_else(StoreError::outcome, outcome));
    if let Ok(TrackedValue { bytes: Some(bytes), .. }) = &answer {
        store.large_keys.record(*hash, lane, bytes.len());
    }
    answer
}

fn outcome(answer: &TrackedValue) -> Outcome {
    if answer.bytes.is_some() { Outcome::Success } else { Outcome::NotFound }
}

/// One read.
struct ReadOperation<'a> {
    store: &'a StoreCore,
    key: &'a FullKey<'a>,
    kind: &'a OperationKind<'a>,
    shard: &'a Shard,
    wish: ReadRequirement,
    command: Cmd,
    /// In place of the command, where the node says when the key changes.
    tracked: Option<Pipeline>,
    lane: ConnectionClass,
    deadline: Deadline,
}

impl ReadOperation<'_> {
    async fn run(&self) -> Result<TrackedValue, StoreError> {
        let mut tried = Attempts::default();
        loop {
            let node = match self.shard.reader(&self.wish, &tried, self.deadline).await {
                Ok(node) => node,
                Err(error) => return self.shard.miss_or(&tried, error).map(TrackedValue::untracked),
            };
            let NodeAnswer { node, connection, answer, said } = match &self.shard.hedge {
                None => self.ask(node, &tried).await,
                Some(hedge) => Box::pin(self.ask_hedged(hedge, node, &tried)).await,
            };
            if let Ok(value) = &answer {
                self.shard.record_value_bytes(value);
            }
            match answer.and_then(parse_get) {
                Err(error) if self.store.should_redirect(&error, self.shard, &node) => {
                    let Self { key, kind, command, lane, deadline, .. } = self;
                    let errand = RedirectedOperation { key, command, kind, lane: *lane, deadline: *deadline };
                    let refused = Some(Rejection { node, error });
                    let followed = Box::pin(self.store.redirect(&errand, refused, |value, _| parse_get(value))).await;
                    return followed.map(TrackedValue::untracked);
                }
                Ok(None) if self.store.must_confirm_miss(self.shard, &node) => tried.record_miss(),
                Err(error) if error.advice() == Advice::RetryElsewhere => tried.record(&node, connection, error),
                Err(error) => return Err(self.shard.read_failure(error)),
                Ok(bytes) => {
                    self.store.record_fallback(self.shard, &self.wish, &tried, &node);
                    return Ok(TrackedValue::new(bytes, said));
                }
            }
        }
    }

    /// Asks a node; comes back with it, and the count of its connections before.
    async fn ask(&self, node: Arc<Node>, tried: &Attempts) -> NodeAnswer {
        let patience = self.shard.call_timeout(&self.wish, tried, &node, self.deadline);
        let connection = node.connections_opened();
        let answer = match &self.tracked {
            None => node.call(&self.command, self.lane, patience).await.map(|value| (value, None)),
            Some(tracked) => node.call_tracked(&self.command, tracked, self.lane, patience).await,
        };
        let (answer, said) = match answer {
            Ok((value, said)) => (Ok(value), said),
            Err(error) => (Err(error), None),
        };
        NodeAnswer { node, connection, answer, said }
    }

    /// Asks a second node as well when the first one takes long; the first good answer wins.
    async fn ask_hedged(&self, hedge: &Hedge, node: Arc<Node>, tried: &Attempts) -> NodeAnswer {
        let start = Instant::now();
        let other = || self.shard.second(&self.wish, tried, &node);
        let mut first = pin!(self.ask(Arc::clone(&node), tried));
        let answer = match timeout(hedge.delay(), &mut first).await {
            Ok(answer) => answer,
            Err(_) => match other().filter(|_| hedge.try_spend()) {
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
        hedge.record_duration(start.elapsed());
        answer
    }
}

/// What came of asking a node.
struct NodeAnswer {
    node: Arc<Node>,
    /// The count of its connections before.
    connection: u64,
    answer: Result<Value, NodeError>,
    /// Where the answer came from, and what was said of the time that the key has left.
    said: Option<(TrackedSource, Value)>,
}

impl TrackedValue {
    fn untracked(bytes: Option<Vec<u8>>) -> Self {
        Self { bytes, origin: None }
    }

    fn new(bytes: Option<Vec<u8>>, said: Option<(TrackedSource, Value)>) -> Self {
        let origin = said.and_then(|(source, answer)| {
            parse_time_left(bytes.is_some(), &answer).map(|left| TrackedOrigin { source, left })
        });
        Self { bytes, origin }
    }
}
