//! GET: from a replica that is fresh enough, then from whoever is left.

use crate::{
    store::{
        consistency::{Freshness, ReadRequirement},
        error::{Advice, NodeError, StoreError},
        node::{Node, connection_class::ConnectionClass, tracking::TrackedSource},
        operation::{
            context::OperationContext,
            redirect::{self, RedirectedOperation, Rejection},
        },
        protocol::{
            command::{command, tracked_get},
            operation::OperationKind,
            reply::{parse_get, parse_time_left},
        },
        shard::{Attempts, Shard, hedge::Hedge},
        shard_map::Route,
    },
    telemetry::{metrics::Outcome, traces},
    types::{Deadline, FullKey},
};
use redis::{Cmd, Pipeline, Value};
use std::{pin::pin, sync::Arc, time::Duration};
use tokio::time::{Instant, timeout};
use tracing::Instrument;

/// The bytes under `key`, from a replica where there is one that is fresh enough.
pub async fn get(
    context: &OperationContext,
    key: &FullKey<'_>,
    freshness: Freshness,
    deadline: Deadline,
) -> Result<Option<Vec<u8>>, StoreError> {
    context.wait_until_known(deadline).await;
    let route = context.route(key);
    read(context, &route, key, freshness, None, deadline).await.map(|read| read.bytes)
}

/// As [`get`]; where the node says when keys change, with the origin of the answer.
pub async fn get_tracked(
    context: &OperationContext,
    key: &FullKey<'_>,
    freshness: Freshness,
    deadline: Deadline,
) -> Result<TrackedValue, StoreError> {
    context.wait_until_known(deadline).await;
    let route = context.route(key);
    let mut found = read(context, &route, key, freshness, Some(tracked_get(key)), deadline).await?;
    // Of what it does not have, a node of a cluster says nothing when its slot goes elsewhere.
    if found.bytes.is_none() && context.cluster.is_some() {
        found.origin = None;
    }
    Ok(found)
}

/// True if a read would now go where an earlier answer came from, and that answer would still be the same.
pub fn may_serve_cached(
    context: &OperationContext,
    source: &TrackedSource,
    key: &FullKey<'_>,
    freshness: Freshness,
) -> bool {
    if !source.is_current() {
        return false;
    }
    let map = context.map.load();
    let (shard, hash) = map.locate(key);
    let wish = context.requirement(hash, freshness);
    let covered = !wish.master_only && (!wish.strict || source.covers >= wish.since);
    covered && map.shard(shard).would_read(&wish, source.node)
}

async fn read(
    context: &OperationContext,
    Route { shard, hash }: &Route,
    key: &FullKey<'_>,
    freshness: Freshness,
    tracked: Option<Pipeline>,
    deadline: Deadline,
) -> Result<TrackedValue, StoreError> {
    let kind = OperationKind::Get(freshness);
    let lane = context.connection_class(*hash, &kind);
    let wish = context.requirement(*hash, freshness);
    let read =
        ReadOperation { context, shard, key, kind: &kind, wish, command: command(key, &kind), tracked, lane, deadline };
    let mut reading = pin!(read.run().instrument(traces::shard(|| shard.name(), "read", 1)));
    let answer = reading.as_mut().await;
    traces::end_with(reading.span(), answer.as_ref().map_or_else(StoreError::outcome, outcome));
    if let Ok(TrackedValue { bytes: Some(bytes), .. }) = &answer {
        context.large_keys.record(*hash, lane, bytes.len());
    }
    answer
}

fn outcome(answer: &TrackedValue) -> Outcome {
    if answer.bytes.is_some() { Outcome::Success } else { Outcome::NotFound }
}

/// One read.
struct ReadOperation<'a> {
    context: &'a OperationContext,
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
            match answer.and_then(|value| Ok(parse_get(value)?)) {
                Err(error) if redirect::applies_to(self.context, &error, self.shard, &node) => {
                    let Self { key, kind, command, lane, deadline, .. } = self;
                    let redirected =
                        RedirectedOperation { key, command, kind, connection_class: *lane, deadline: *deadline };
                    let rejection = Some(Rejection { node, error });
                    let answer = redirect::run(self.context, &redirected, rejection, |value, _| Ok(parse_get(value)?));
                    return Box::pin(answer).await.map(TrackedValue::untracked);
                }
                Ok(None) if redirect::must_confirm_miss(self.context, self.shard, &node) => tried.record_miss(),
                Err(error) if error.advice() == Advice::RetryElsewhere => tried.record(&node, connection, error),
                Err(error) => return Err(self.shard.read_failure(error)),
                Ok(bytes) => {
                    self.context.record_fallback(self.shard, &self.wish, &tried, &node);
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
                    self.context.metrics.hedges.count();
                    let mut second = pin!(self.ask(other, tried));
                    let asked = tokio::select! {
                        asked = &mut first => if asked.answer.is_ok() { asked } else { second.await },
                        asked = &mut second => if asked.answer.is_ok() { asked } else { first.await },
                    };
                    if asked.node.id != node.id && asked.answer.is_ok() {
                        self.context.metrics.hedges_won.count();
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

/// A value that may be cached for as long as its origin says that it is current.
pub struct TrackedValue {
    /// The value; `None` if the key does not exist.
    pub bytes: Option<Vec<u8>>,
    /// The origin; `None` if no node would report a change of the key.
    pub origin: Option<TrackedOrigin>,
}

/// The origin of an answer, and the time for which it holds.
pub struct TrackedOrigin {
    /// The connection that reports changes of the key.
    pub source: TrackedSource,
    /// The time that the key had left to live when it was read; [`Duration::MAX`] if it never expires.
    pub left: Duration,
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
