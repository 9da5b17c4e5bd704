//! The changes of a batch that are in flight while a reload gives their keys to another shard.

use super::{
    changes::is_change,
    pipeline::{Batch, BatchAnswer},
};
use crate::store::{
    error::{Access, StoreError},
    node::NodeId,
    operation::ring_change::{may_have_run, merge, next_route},
    protocol::operation::Answer,
    shard::Shard,
    shard_map::ShardMap,
};
use futures_util::future::join_all;
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

/// The first answers of operations that run again, by position in the batch.
type FirstAnswers = HashMap<usize, Result<Answer, StoreError>>;

/// The operations that ran on the master of one shard.
pub struct ShardAnswers {
    /// The shard.
    pub shard: Arc<Shard>,
    /// The node that was asked last; `None` if none was.
    pub asked: Option<NodeId>,
    /// The answers, in the order of the operations.
    pub answered: Vec<BatchAnswer>,
}

impl ShardAnswers {
    /// Returns the node that was asked last if any operation has succeeded.
    pub fn made_by(&self) -> Option<NodeId> {
        self.asked.filter(|_| self.answered.iter().any(|(_, answer)| answer.is_ok()))
    }
}

/// The operations that run again on one shard.
struct MovedOperations {
    shard: Arc<Shard>,
    /// The operations as positions in the batch, in order.
    positions: Vec<usize>,
}

impl Batch<'_> {
    /// Runs operations on the master of a shard, in order.
    pub(super) async fn run_on_shard(&self, shard: &Arc<Shard>, positions: Vec<usize>) -> ShardAnswers {
        let (mut answered, asked) = self.run_on_master(shard, positions).await;
        answered.sort_unstable_by_key(|(position, _)| *position);
        ShardAnswers { shard: Arc::clone(shard), asked, answered }
    }

    /// Runs the operations again whose keys have moved or whose nodes have left, until none is left. The shards of a batch
    /// are answered together, so a reload counts until the last of them has ended.
    pub(super) async fn run_moved(&self, mut current: Arc<ShardMap>, mut ran: Vec<ShardAnswers>) -> Vec<ShardAnswers> {
        let mut may_be_made = HashSet::new();
        loop {
            may_be_made.extend(ran.iter().flat_map(|ran| self.changes_that_may_be_made(ran)));
            let (moved, mut first) = self.take_moved(&current, &mut ran, &may_be_made);
            if moved.is_empty() {
                return ran;
            }
            let runs = moved.into_iter().map(|MovedOperations { shard, mut positions }| async move {
                positions.sort_unstable();
                self.run_on_shard(&shard, positions).await
            });
            for mut again in join_all(runs).await {
                for (position, answer) in &mut again.answered {
                    if let Some(first) = first.remove(position) {
                        let access = if is_change(&self.operations[*position]) { Access::Write } else { Access::Read };
                        merge(access, &first, answer);
                    }
                }
                ran.push(again);
            }
            current = self.context.map.load_full();
        }
    }

    /// Takes the operations from the shards that they ran on if they have to run again: the changes of keys that have
    /// moved, and the reads after them. Returns them by their new shards, and the answers that they had.
    /// `may_be_made` has the keys of the changes that were made on any shard so far, or may have been.
    fn take_moved(
        &self,
        current: &ShardMap,
        ran: &mut [ShardAnswers],
        may_be_made: &HashSet<&[u8]>,
    ) -> (Vec<MovedOperations>, FirstAnswers) {
        let (mut moved, mut first) = (Vec::<MovedOperations>::new(), FirstAnswers::new());
        for before in ran {
            let mut changes = ChangedKeys { before: HashSet::new(), may_be_made };
            for (position, answer) in std::mem::take(&mut before.answered) {
                let Some(shard) = self.new_shard(current, before, (position, &answer), &mut changes) else {
                    before.answered.push((position, answer));
                    continue;
                };
                if let Ok(answer) = &answer {
                    self.release_reply_bytes(answer);
                }
                first.insert(position, answer);
                match moved.iter_mut().find(|moved| Arc::ptr_eq(&moved.shard, &shard)) {
                    Some(known) => known.positions.push(position),
                    None => moved.push(MovedOperations { shard, positions: vec![position] }),
                }
            }
        }
        (moved, first)
    }

    /// Returns the keys of the changes that were made, or may have been.
    fn changes_that_may_be_made(&self, ran: &ShardAnswers) -> HashSet<&[u8]> {
        let changes = ran.answered.iter().map(|(position, answer)| (&self.operations[*position], answer));
        let made = changes.filter(|(operation, answer)| is_change(operation) && may_have_run(answer));
        made.map(|(operation, _)| operation.key.as_bytes()).collect()
    }

    /// Returns the shard on which an operation has to run again. A read before the first change of its key keeps its answer,
    /// because it must not see a change that comes after it; a failed one runs again only if none of them can have been
    /// made. After the deadline a failed operation is not repeated.
    fn new_shard<'k>(
        &'k self,
        current: &ShardMap,
        ran_on: &ShardAnswers,
        (position, answer): (usize, &Result<Answer, StoreError>),
        changes: &mut ChangedKeys<'k>,
    ) -> Option<Arc<Shard>> {
        let operation = &self.operations[position];
        let key = operation.key.as_bytes();
        if is_change(operation) {
            changes.before.insert(key);
        }
        let is_settled = !changes.before.contains(key) && (answer.is_ok() || changes.may_be_made.contains(key));
        if is_settled || (self.deadline.has_passed() && answer.is_err()) {
            return None;
        }
        next_route(current, operation.key, &ran_on.shard, ran_on.asked).map(|route| Arc::clone(route.shard.shared()))
    }
}

/// The keys that the operations of one shard change.
struct ChangedKeys<'k> {
    /// The keys of the changes before the operation that is looked at.
    before: HashSet<&'k [u8]>,
    /// The keys of the changes that were made, or may have been.
    may_be_made: &'k HashSet<&'k [u8]>,
}
