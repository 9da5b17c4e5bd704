//! The changes of a batch that are in flight while a reload gives their keys to another shard.

use super::{
    changes::is_change,
    pipeline::{Batch, BatchAnswer},
};
use crate::store::{
    node::NodeId,
    operation::ring_change::{merge, newer_map, next_route},
    protocol::operation::Answer,
    shard::Shard,
    shard_map::{MapId, ShardMap},
};
use futures_util::future::join_all;
use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, atomic::Ordering::Relaxed},
};

/// The operations that run again on one shard, as positions in the batch.
struct MovedOperations {
    shard: Arc<Shard>,
    positions: Vec<usize>,
}

impl Batch<'_> {
    /// Runs operations on the master of a shard of this map, in order. Those whose keys a reload gives to another shard
    /// meanwhile run again there.
    pub(super) async fn change(&self, (map, shard): (MapId, &Arc<Shard>), positions: Vec<usize>) -> Vec<BatchAnswer> {
        if positions.is_empty() {
            return Vec::new();
        }
        let (answered, asked) = self.run_on_master(shard, positions).await;
        match newer_map(self.context, map) {
            None => answered,
            Some(current) => Box::pin(self.run_moved(&current, shard, answered, asked)).await,
        }
    }

    /// Runs the operations again whose keys have moved. Returns all answers.
    async fn run_moved(
        &self,
        current: &ShardMap,
        ran_on: &Arc<Shard>,
        mut answered: Vec<BatchAnswer>,
        asked: Option<NodeId>,
    ) -> Vec<BatchAnswer> {
        answered.sort_unstable_by_key(|(position, _)| *position);
        let moved = self.moved(current, ran_on, &answered, asked);
        let runs = moved.iter().map(|moved| self.change((current.id(), &moved.shard), moved.positions.clone()));
        let mut again: HashMap<usize, _> = join_all(runs).await.into_iter().flatten().collect();
        let answers = answered.into_iter().map(|(position, first)| match again.remove(&position) {
            Some(last) => (position, merge(&first, last)),
            None => (position, first),
        });
        answers.collect()
    }

    /// Returns the operations that have to run again, by shard: the changes of keys that have moved, and the reads after
    /// them. A read before the first change of its key keeps its answer, because it must not see a change that comes after
    /// it. After the deadline a failed operation is not repeated.
    fn moved(
        &self,
        current: &ShardMap,
        ran_on: &Arc<Shard>,
        answered: &[BatchAnswer],
        asked: Option<NodeId>,
    ) -> Vec<MovedOperations> {
        let is_late = self.deadline.has_passed();
        let (mut moved, mut changed) = (Vec::<MovedOperations>::new(), HashSet::new());
        for (position, answer) in answered {
            let operation = &self.operations[*position];
            if is_change(operation) {
                changed.insert(operation.key.as_bytes());
            }
            let is_settled = answer.is_ok() && !changed.contains(operation.key.as_bytes());
            if is_settled || (is_late && answer.is_err()) {
                continue;
            }
            let Some(route) = next_route(current, operation.key, ran_on, asked) else { continue };
            if let Ok(Answer::Got(Some(bytes))) = answer {
                // The value that takes its place counts instead.
                self.reply_bytes.fetch_sub(bytes.len(), Relaxed);
            }
            match moved.iter_mut().find(|moved| Arc::ptr_eq(&moved.shard, &route.shard)) {
                Some(known) => known.positions.push(*position),
                None => moved.push(MovedOperations { shard: route.shard, positions: vec![*position] }),
            }
        }
        moved
    }
}
