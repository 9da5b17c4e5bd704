//! Many operations at once: one round trip to each node, all nodes at the same time.
//!
//! Operations on one key keep their order. A key that the batch writes or deletes is therefore also read from the
//! master, in the same pipeline; all other reads go to replicas. The shards are independent of each other: a shard that
//! has to be waited for delays no other one.

mod changes;
mod reads;

use crate::{
    store::{
        error::{NodeError, StoreError},
        node::{Node, connection::CallTimeout, connection_class::ConnectionClass},
        operation::{
            context::OperationContext,
            redirect::{self, RedirectedOperation},
        },
        protocol::{
            command::command,
            operation::{Answer, Operation, OperationKind},
            reply::parse_answer,
        },
        shard::Shard,
    },
    telemetry::traces,
    types::Deadline,
};
use futures_util::future::{join, join_all};
use redis::Value;
use std::{
    collections::{BTreeMap, HashSet},
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
};
use tracing::Instrument;

/// Bytes that the values of one batch may have together.
pub const REPLY_BYTES_MAX: usize = 64 * 1024 * 1024;

/// The position of an operation in the batch, and its answer.
type BatchAnswer = (usize, Result<Answer, StoreError>);

/// The operations of one batch, and the bytes that its reply may still have.
struct Batch<'a> {
    context: &'a OperationContext,
    operations: &'a [Operation<'a>],
    /// The hash of each operation's key.
    hashes: Vec<u64>,
    deadline: Deadline,
    /// The bytes of all values that were read so far.
    reply_bytes: AtomicUsize,
    reply_bytes_max: usize,
}

/// The operations of one shard, as positions in the batch.
#[derive(Default)]
struct ShardOperations {
    /// The reads of keys that the batch does not change.
    reads: Vec<usize>,
    /// All other operations, in order.
    on_master: Vec<usize>,
}

/// Runs all operations. Returns the answers in the order of the operations.
pub async fn run(
    context: &OperationContext,
    operations: &[Operation<'_>],
    reply_bytes_max: usize,
    deadline: Deadline,
) -> Vec<Result<Answer, StoreError>> {
    context.wait_until_known(deadline).await;
    let map = context.map.load_full();
    let changes = operations.iter().filter(|operation| is_change(operation));
    let changed: HashSet<&[u8]> = changes.map(|operation| operation.key.as_bytes()).collect();
    let mut shards: BTreeMap<usize, ShardOperations> = BTreeMap::new();
    let mut hashes = Vec::with_capacity(operations.len());
    for (position, operation) in operations.iter().enumerate() {
        let (shard, hash) = map.locate(operation.key);
        hashes.push(hash);
        let shard = shards.entry(shard).or_default();
        let is_changed = changed.contains(operation.key.as_bytes());
        if is_changed { &mut shard.on_master } else { &mut shard.reads }.push(position);
    }
    let batch = Batch { context, operations, hashes, deadline, reply_bytes: AtomicUsize::new(0), reply_bytes_max };
    let runs = shards.into_iter().map(|(shard, ShardOperations { reads, on_master })| {
        let (batch, shard) = (&batch, map.shard(shard));
        let span = traces::shard(|| shard.name(), "batch", reads.len() + on_master.len());
        join(batch.read(shard, reads), batch.run_on_master(shard, on_master)).instrument(span)
    });
    let answers = join_all(runs).await;
    let mut answers: Vec<BatchAnswer> =
        answers.into_iter().flat_map(|(read, changed)| [read, changed]).flatten().collect();
    answers.sort_unstable_by_key(|(position, _)| *position);
    answers.into_iter().map(|(_, answer)| answer).collect()
}

fn is_change(operation: &Operation<'_>) -> bool {
    !matches!(operation.kind, OperationKind::Get(_))
}

impl Batch<'_> {
    /// Sends operations to a node as one pipeline.
    async fn send(
        &self,
        shard: &Shard,
        node: &Node,
        positions: &[usize],
        call_timeout: CallTimeout,
    ) -> Vec<Result<Answer, NodeError>> {
        let mut pipeline = redis::Pipeline::with_capacity(positions.len());
        for position in positions {
            let operation = &self.operations[*position];
            pipeline.add_command(command(operation.key, &operation.kind));
        }
        let replicas = positions.iter().map(|position| self.operations[*position].kind.replicas()).max().unwrap_or(0);
        let answers = match replicas {
            0 => {
                let answers = node.call_all(&pipeline, self.connection_class(positions), call_timeout).await;
                answers.map(|values| (values, 0))
            }
            replicas => node.call_all_and_wait(&pipeline, replicas, self.deadline).await,
        };
        match answers {
            Ok((values, replicas)) => {
                let mut answers = Vec::with_capacity(positions.len());
                for (position, value) in positions.iter().zip(values) {
                    shard.value_size.record(&value);
                    answers.push(self.parse(*position, value, replicas));
                }
                answers
            }
            Err(error) => positions.iter().map(|_| Err(error.clone())).collect(),
        }
    }

    /// Returns the class of the connection for some operations together: one large value is enough.
    fn connection_class(&self, positions: &[usize]) -> ConnectionClass {
        let is_large = positions.iter().any(|position| {
            let class = self.context.connection_class(self.hashes[*position], &self.operations[*position].kind);
            class == ConnectionClass::LargeValue
        });
        if is_large { ConnectionClass::LargeValue } else { ConnectionClass::Default }
    }

    /// Parses the answer to an operation, as long as its value fits into the reply. `replicas` is the number of replicas
    /// that had a change when that was waited for.
    fn parse(&self, position: usize, value: Value, replicas: u32) -> Result<Answer, NodeError> {
        if let Value::BulkString(bytes) = &value {
            self.context.record_value_bytes(self.hashes[position], bytes.len());
            if self.reply_bytes.fetch_add(bytes.len(), Relaxed) + bytes.len() > self.reply_bytes_max {
                return Err(NodeError::NoRoom);
            }
        }
        Ok(parse_answer(&self.operations[position].kind, value, replicas)?)
    }

    /// Runs the operations that a node of a Redis Cluster redirected, each key on its own and the operations on a key in
    /// their order.
    async fn redirect_all(&self, positions: Vec<usize>) -> Vec<BatchAnswer> {
        let mut keys: BTreeMap<&[u8], Vec<usize>> = BTreeMap::new();
        for position in positions {
            keys.entry(self.operations[position].key.as_bytes()).or_default().push(position);
        }
        let runs = keys.into_values().map(|positions| async {
            let mut answered = Vec::with_capacity(positions.len());
            for position in positions {
                answered.push((position, self.redirect(position).await));
            }
            answered
        });
        join_all(runs).await.into_iter().flatten().collect()
    }

    async fn redirect(&self, position: usize) -> Result<Answer, StoreError> {
        let Operation { key, kind } = &self.operations[position];
        let redirected = RedirectedOperation {
            key,
            command: &command(key, kind),
            kind,
            connection_class: self.context.connection_class(self.hashes[position], kind),
            deadline: self.deadline,
        };
        let answer =
            redirect::run(self.context, &redirected, None, |value, replicas| self.parse(position, value, replicas));
        Box::pin(answer).await
    }
}
