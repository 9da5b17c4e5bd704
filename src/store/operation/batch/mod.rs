//! Many operations at once: one round trip to each node, all nodes at the same time.
//!
//! Operations on one key keep their order. A key that the batch writes or deletes is therefore also read from the
//! master, in the same pipeline; all other reads go to replicas. The shards are independent of each other: a shard that
//! has to be waited for delays no other one.

mod changes;
mod pipeline;
mod reads;
mod ring_change;

use crate::{
    store::{
        error::StoreError,
        operation::{context::OperationContext, ring_change::map_to_run_again},
        protocol::operation::{Answer, Operation},
    },
    telemetry::traces,
    types::{Deadline, ReplyMemory},
};
use changes::is_change;
use futures_util::future::{join, join_all};
use pipeline::{Batch, BatchAnswer};
use std::collections::{BTreeMap, HashSet};
use tracing::Instrument;

/// The operations of one shard, as positions in the batch.
#[derive(Default)]
struct ShardOperations {
    /// The reads of keys that the batch does not change.
    reads: Vec<usize>,
    /// All other operations, in order.
    on_master: Vec<usize>,
}

/// Runs all operations, and `alongside`, whose result is part of the same reply. Returns the answers in the order of the
/// operations. A reload counts until everything has ended.
pub async fn run<T>(
    context: &OperationContext,
    operations: &[Operation<'_>],
    memory: &ReplyMemory<'_>,
    alongside: impl Future<Output = T>,
    deadline: Deadline,
) -> (Vec<Result<Answer, StoreError>>, T) {
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
    let batch = Batch { context, operations, hashes, deadline, memory };
    let runs = shards.into_iter().map(|(shard, ShardOperations { reads, on_master })| {
        let (batch, shard) = (&batch, map.shard(shard));
        let span = traces::shard(|| shard.name(), "batch", reads.len() + on_master.len());
        join(batch.read(shard, reads), batch.run_on_shard(shard, on_master)).instrument(span)
    });
    let (ran, beside) = join(join_all(runs), alongside).await;
    let (reads, on_masters): (Vec<_>, Vec<_>) = ran.into_iter().unzip();
    let ran_on = on_masters.iter().map(|ran| (&ran.shard, ran.made_by()));
    let on_masters = match map_to_run_again(context, map.id(), ran_on) {
        None => on_masters,
        Some(current) => Box::pin(batch.run_moved(current, on_masters)).await,
    };
    let on_masters = on_masters.into_iter().flat_map(|shard| shard.answered);
    let mut answers: Vec<BatchAnswer> = reads.into_iter().flatten().chain(on_masters).collect();
    answers.sort_unstable_by_key(|(position, _)| *position);
    (answers.into_iter().map(|(_, answer)| answer).collect(), beside)
}
