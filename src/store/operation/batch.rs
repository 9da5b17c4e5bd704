//! Many operations at once: one round trip per node touched, all nodes at the same time.
//!
//! Operations on one key keep their order. A key that is written or deleted anywhere in the batch is therefore
//! also read from the master, in the same pipeline; all other reads go to replicas. Each shard goes its own way: one
//! that has to be waited for holds up no other.

use crate::{
    store::{
        consistency::{Freshness, ReadRequirement},
        error::{Advice, NodeError, StoreError, WriteFailure},
        node::{
            Node, NodeId,
            connection::{Abandon, CallTimeout},
            connection_class::ConnectionClass,
        },
        operation::{
            context::{ChangeGuard, OperationContext},
            redirect::{self, RedirectedOperation},
        },
        protocol::{
            command::command,
            operation::{Answer, Operation, OperationKind},
            reply::parse_answer,
        },
        shard::{Attempts, Shard},
    },
    telemetry::traces,
    types::Deadline,
};
use futures_util::future::{join, join_all};
use redis::Value;
use std::{
    collections::{BTreeMap, HashSet},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};
use tracing::Instrument;

/// Bytes of values that are expected in answer to one message. All messages are sent at once; that answers come in
/// pieces shows that the node is alive while it sends large ones, and bounds how much of a reply that is too large is
/// held.
const MESSAGE_BYTES: usize = 1024 * 1024;
/// Bytes that the values of one batch may have together.
pub const REPLY_BYTES_MAX: usize = 64 * 1024 * 1024;
const READS_MIN: usize = 1;
const READS_MAX: usize = 128;

/// Position in the batch, and answer.
type BatchAnswer = (usize, Result<Answer, StoreError>);

/// The operations of one batch, and what is left of its reply's room.
struct Batch<'a> {
    context: &'a OperationContext,
    operations: &'a [Operation<'a>],
    /// Of each operation's key.
    hashes: Vec<u64>,
    deadline: Deadline,
    /// What the values that were read have together, and may have.
    reply_bytes: AtomicUsize,
    room: usize,
}

/// One shard's part: positions of operations.
#[derive(Default)]
struct ShardOperations {
    /// Reads of keys that the batch does not change.
    reads: Vec<usize>,
    /// All others, in order.
    on_master: Vec<usize>,
}

/// Runs all operations; answers in their order.
pub async fn run(
    context: &OperationContext,
    operations: &[Operation<'_>],
    room: usize,
    deadline: Deadline,
) -> Vec<Result<Answer, StoreError>> {
    context.wait_until_known(deadline).await;
    let map = context.map.load_full();
    let changes = |operation: &&Operation<'_>| !matches!(operation.kind, OperationKind::Get(_));
    let changed: HashSet<&[u8]> = operations.iter().filter(changes).map(|operation| operation.key.as_bytes()).collect();
    let mut parts: BTreeMap<usize, ShardOperations> = BTreeMap::new();
    let mut hashes = Vec::with_capacity(operations.len());
    for (position, operation) in operations.iter().enumerate() {
        let (shard, hash) = map.locate(operation.key);
        hashes.push(hash);
        let part = parts.entry(shard).or_default();
        let on_master = changed.contains(operation.key.as_bytes());
        if on_master { &mut part.on_master } else { &mut part.reads }.push(position);
    }
    let batch = Batch { operations, hashes, context, deadline, reply_bytes: AtomicUsize::new(0), room };
    let shards = parts.into_iter().map(|(shard, part)| {
        let (batch, shard) = (&batch, map.shard(shard));
        let span = traces::shard(|| shard.name(), "batch", part.reads.len() + part.on_master.len());
        join(batch.read(shard, part.reads), batch.change(shard, part.on_master)).instrument(span)
    });
    let answers = join_all(shards).await;
    let mut answers: Vec<BatchAnswer> =
        answers.into_iter().flat_map(|(read, changed)| [read, changed]).flatten().collect();
    answers.sort_unstable_by_key(|(position, _)| *position);
    answers.into_iter().map(|(_, answer)| answer).collect()
}

/// A read that has no answer yet.
struct PendingRead {
    position: usize,
    wish: ReadRequirement,
    tried: Attempts,
}

/// Reads that go to one node.
struct NodeReads {
    node: Arc<Node>,
    /// The count of its connections before it is asked.
    connection: u64,
    reads: Vec<PendingRead>,
}

/// Puts each read into the group of the node that it goes to now; returns those for which there is none.
fn group_by_node(
    shard: &Shard,
    reads: impl Iterator<Item = PendingRead>,
    groups: &mut BTreeMap<NodeId, NodeReads>,
) -> Vec<PendingRead> {
    let mut waiting = Vec::new();
    for read in reads {
        match shard.readable(&read.wish, &read.tried) {
            Some(node) => groups.entry(node.id).or_insert_with(|| NodeReads::of(node)).reads.push(read),
            None => waiting.push(read),
        }
    }
    waiting
}

impl NodeReads {
    fn of(node: Arc<Node>) -> Self {
        Self { connection: node.connections_opened(), node, reads: Vec::new() }
    }
}

impl Batch<'_> {
    fn has_room(&self, bytes: usize) -> bool {
        self.reply_bytes.fetch_add(bytes, Relaxed) + bytes <= self.room
    }

    /// Reads from replicas; what one of them does not answer is asked of another.
    async fn read(&self, shard: &Shard, positions: Vec<usize>) -> Vec<BatchAnswer> {
        let mut answered = Vec::with_capacity(positions.len());
        let mut redirected: Vec<usize> = Vec::new();
        let mut open: Vec<PendingRead> = positions.into_iter().map(|position| self.unread(position)).collect();
        while !open.is_empty() {
            let mut groups: BTreeMap<NodeId, NodeReads> = BTreeMap::new();
            let waiting = group_by_node(shard, open.drain(..), &mut groups);
            // Waits, if need be, once for all.
            if let Some(first) = waiting.first() {
                let unreachable = shard.reader(&first.wish, &first.tried, self.deadline).await.err();
                for read in group_by_node(shard, waiting.into_iter(), &mut groups) {
                    let error =
                        unreachable.clone().unwrap_or_else(|| shard.no_reader_error(&read.tried, self.deadline));
                    answered.push((read.position, shard.miss_or(&read.tried, error).map(Answer::Got)));
                }
            }
            let size = (MESSAGE_BYTES / shard.value_bytes().max(1)).clamp(READS_MIN, READS_MAX);
            let messages = groups.values().flat_map(|group| group.reads.chunks(size).map(|part| (&*group.node, part)));
            let outcomes = join_all(messages.map(|(node, part)| self.read_message(shard, node, part))).await;
            // In the order of the groups, message after message: each read meets its own outcome.
            let reads = groups.into_values().flat_map(|NodeReads { node, connection, reads }| {
                reads.into_iter().map(move |read| (Arc::clone(&node), connection, read))
            });
            for ((node, connection, mut read), outcome) in reads.zip(outcomes.into_iter().flatten()) {
                match outcome {
                    Err(error) if redirect::applies_to(self.context, &error, shard, &node) => {
                        redirect::record(self.context, &node, std::iter::once(&error));
                        redirected.push(read.position);
                    }
                    Ok(Answer::Got(None)) if redirect::must_confirm_miss(self.context, shard, &node) => {
                        read.tried.record_miss();
                        open.push(read);
                    }
                    Err(error) if error.advice() == Advice::RetryElsewhere => {
                        read.tried.record(&node, connection, error);
                        open.push(read);
                    }
                    outcome => {
                        if outcome.is_ok() {
                            self.context.record_fallback(shard, &read.wish, &read.tried, &node);
                        }
                        answered.push((read.position, outcome.map_err(|error| shard.read_failure(error))));
                    }
                }
            }
        }
        answered.extend(self.each_by_itself(redirected).await);
        answered
    }

    /// Sends some reads to one node.
    async fn read_message(&self, shard: &Shard, node: &Node, part: &[PendingRead]) -> Vec<Result<Answer, NodeError>> {
        let positions: Vec<usize> = part.iter().map(|read| read.position).collect();
        let patience = shard.call_timeout(&part[0].wish, &part[0].tried, node, self.deadline);
        self.send(shard, node, &positions, patience).await
    }

    fn unread(&self, position: usize) -> PendingRead {
        let freshness = match self.operations[position].kind {
            OperationKind::Get(freshness) => freshness,
            _ => Freshness::ReadYourWrites,
        };
        let wish = self.context.requirement(self.hashes[position], freshness);
        PendingRead { position, wish, tried: Attempts::default() }
    }

    /// Runs on the master, in order. What a node refused without running it goes to the next master.
    async fn change(&self, shard: &Shard, mut positions: Vec<usize>) -> Vec<BatchAnswer> {
        let mut answered = Vec::with_capacity(positions.len());
        let is_change = |position: &&usize| !matches!(self.operations[**position].kind, OperationKind::Get(_));
        let changed = positions.iter().filter(is_change);
        let _changes: Vec<ChangeGuard<'_>> =
            changed.map(|position| self.context.change_guard(self.hashes[*position])).collect();
        let mut tried = Attempts::default();
        let patience = CallTimeout { deadline: self.deadline, abandon: Abandon::AtDeadline };
        while !positions.is_empty() {
            let node = match shard.writer(&tried, self.deadline).await {
                Ok(node) => node,
                Err(error) => {
                    answered.extend(positions.into_iter().map(|position| (position, Err(error.clone()))));
                    break;
                }
            };
            let answers = self.send(shard, &node, &positions, patience).await;
            let refusal = answers.iter().find_map(|answer| answer.as_ref().err().filter(|error| error.did_not_run()));
            let is_redirected = refusal.is_some_and(|error| redirect::applies_to(self.context, error, shard, &node));
            if let Some(refusal) = refusal {
                redirect::record(self.context, &node, answers.iter().filter_map(|answer| answer.as_ref().err()));
                node.request_probe();
                tried.record(&node, node.connections_opened(), refusal.clone());
            }
            positions = self.take(shard, positions, answers, &mut answered);
            if is_redirected {
                answered.extend(self.each_by_itself(std::mem::take(&mut positions)).await);
            }
            self.context.metrics.write_retries.add(positions.len() as u64);
        }
        answered
    }

    /// Runs what a node of a Redis Cluster sent elsewhere, each key on its own and its operations in their order.
    async fn each_by_itself(&self, positions: Vec<usize>) -> Vec<BatchAnswer> {
        let mut keys: BTreeMap<&[u8], Vec<usize>> = BTreeMap::new();
        for position in positions {
            keys.entry(self.operations[position].key.as_bytes()).or_default().push(position);
        }
        let runs = keys.into_values().map(|positions| async {
            let mut answered = Vec::with_capacity(positions.len());
            for position in positions {
                answered.push((position, self.follow(position).await));
            }
            answered
        });
        join_all(runs).await.into_iter().flatten().collect()
    }

    async fn follow(&self, position: usize) -> Result<Answer, StoreError> {
        let Operation { key, kind } = &self.operations[position];
        let (hash, command) = (self.hashes[position], command(key, kind));
        let redirected = RedirectedOperation {
            key,
            command: &command,
            kind,
            connection_class: self.context.connection_class(hash, kind),
            deadline: self.deadline,
        };
        let answer = redirect::run(self.context, &redirected, None, |value, had| self.answer(position, value, had));
        Box::pin(answer).await
    }

    /// Takes the answers that stand and returns the positions that are to be sent again: the operations that were
    /// refused, and those after them on the same key, whose answers came too early.
    fn take(
        &self,
        shard: &Shard,
        positions: Vec<usize>,
        answers: Vec<Result<Answer, NodeError>>,
        answered: &mut Vec<BatchAnswer>,
    ) -> Vec<usize> {
        let mut again: Vec<usize> = Vec::new();
        let mut refused: HashSet<&[u8]> = HashSet::new();
        for (position, answer) in positions.into_iter().zip(answers) {
            let operation = &self.operations[position];
            let key = operation.key.as_bytes();
            let is_read = matches!(operation.kind, OperationKind::Get(_));
            match answer {
                Err(error) if error.did_not_run() => {
                    refused.insert(key);
                    again.push(position);
                }
                Ok(_) if is_read && refused.contains(key) => again.push(position),
                Err(error) if is_read => answered.push((position, Err(shard.read_failure(error)))),
                answer => {
                    // A change after a refused one did run, so that one's turn has passed.
                    if refused.remove(key) {
                        let (late, rest) = again.iter().partition(|late| self.operations[**late].key.as_bytes() == key);
                        again = rest;
                        let error = || shard.write_failure(WriteFailure(NodeError::NotConnected));
                        answered.extend(Vec::into_iter(late).map(|position| (position, Err(error()))));
                    }
                    answered.push((position, answer.map_err(|error| shard.write_failure(WriteFailure(error)))));
                }
            }
        }
        again
    }

    /// Sends operations to a node as one pipeline.
    async fn send(
        &self,
        shard: &Shard,
        node: &Node,
        positions: &[usize],
        patience: CallTimeout,
    ) -> Vec<Result<Answer, NodeError>> {
        let mut pipeline = redis::Pipeline::with_capacity(positions.len());
        for position in positions {
            let operation = &self.operations[*position];
            pipeline.add_command(command(operation.key, &operation.kind));
        }
        let replicas = positions.iter().map(|position| self.operations[*position].kind.replicas()).max().unwrap_or(0);
        let answers = match replicas {
            0 => node.call_all(&pipeline, self.lane(positions), patience).await.map(|values| (values, 0)),
            replicas => node.call_all_and_wait(&pipeline, replicas, self.deadline).await,
        };
        match answers {
            Ok((values, had)) => {
                let answer = |(position, value): (&usize, Value)| {
                    shard.record_value_bytes(&value);
                    self.answer(*position, value, had)
                };
                positions.iter().zip(values).map(answer).collect()
            }
            Err(error) => positions.iter().map(|_| Err(error.clone())).collect(),
        }
    }

    /// The connection for some operations together: one of them that is large is enough.
    fn lane(&self, positions: &[usize]) -> ConnectionClass {
        let lane =
            |position: &usize| self.context.connection_class(self.hashes[*position], &self.operations[*position].kind);
        if positions.iter().any(|position| lane(position) == ConnectionClass::LargeValue) {
            ConnectionClass::LargeValue
        } else {
            ConnectionClass::Default
        }
    }

    /// What a value means, as long as there is room for it in the reply.
    fn answer(&self, position: usize, value: Value, had: u32) -> Result<Answer, NodeError> {
        if let Value::BulkString(bytes) = &value {
            let hash = self.hashes[position];
            self.context.record_value_bytes(hash, bytes.len());
            if !self.has_room(bytes.len()) {
                return Err(NodeError::NoRoom);
            }
        }
        Ok(parse_answer(&self.operations[position].kind, value, had)?)
    }
}
