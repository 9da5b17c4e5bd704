//! The operations of a batch that run on the master, in order: changes, and reads of changed keys.

use super::pipeline::{Batch, BatchAnswer};
use crate::{
    store::{
        error::{NodeError, StoreError},
        node::{
            NodeId,
            call_timeout::{Abandon, CallTimeout},
        },
        operation::{context::ChangeGuard, redirect},
        protocol::operation::{Answer, Operation},
        shard::{Attempts, Shard},
    },
    types::REPLY_BYTES_MAX,
};
use std::collections::HashSet;

/// Returns true if the operation changes its key.
pub fn is_change(operation: &Operation<'_>) -> bool {
    !operation.kind.is_read()
}

impl Batch<'_> {
    /// Runs operations on the master, in order. Operations that a node refused without running them are sent to the next
    /// master. Returns the answers and the node that was asked last, if one was.
    pub(super) async fn run_on_master(
        &self,
        shard: &Shard,
        mut positions: Vec<usize>,
    ) -> (Vec<BatchAnswer>, Option<NodeId>) {
        let (mut answered, mut asked) = (Vec::with_capacity(positions.len()), None);
        self.refuse_excess_reads(&mut positions, &mut answered);
        let changes = positions.iter().filter(|position| is_change(&self.operations[**position]));
        let mut changes: Vec<(usize, ChangeGuard<'_>)> =
            changes.map(|position| (*position, self.context.change_guard(self.hashes[*position]))).collect();
        let mut attempts = Attempts::default();
        let call_timeout = CallTimeout::new(self.deadline, Abandon::AtDeadline);
        while !positions.is_empty() {
            let node = match shard.writer(&attempts, self.deadline).await {
                Ok(node) => node,
                Err(error) => {
                    answered.extend(positions.into_iter().map(|position| (position, Err(error.clone()))));
                    break;
                }
            };
            asked = Some(node.id);
            let connection = node.connections_opened();
            let answers = self.send(shard, &node, &positions, call_timeout).await;
            node.request_offset();
            let refusal = answers.iter().find_map(|answer| answer.as_ref().err().filter(|error| error.did_not_run()));
            let is_redirected = refusal.is_some_and(|error| redirect::applies_to(self.context, error, shard, &node));
            if let Some(refusal) = refusal {
                redirect::record(self.context, &node, answers.iter().filter_map(|answer| answer.as_ref().err()));
                node.investigate(refusal);
                attempts.record(&node, connection, refusal.clone());
            }
            positions = self.settle_changes(shard, positions, answers, &mut answered);
            if is_redirected {
                answered.extend(self.redirect_all(std::mem::take(&mut positions)).await);
            }
            self.context.metrics.write_retries.add(positions.len() as u64);
        }
        for (position, _) in answered.iter().filter(|(_, answer)| answer.is_ok()) {
            if let Ok(change) = changes.binary_search_by_key(position, |(position, _)| *position) {
                changes[change].1.succeed(&self.operations[*position].kind);
            }
        }
        (answered, asked)
    }

    /// Refuses the reads whose values are known to have no room in the reply: all operations are sent as one message.
    fn refuse_excess_reads(&self, positions: &mut Vec<usize>, answered: &mut Vec<BatchAnswer>) {
        let mut bytes = 0_usize;
        positions.retain(|position| {
            let is_read = !is_change(&self.operations[*position]);
            let known = if is_read { self.context.large_keys.bytes(self.hashes[*position]) } else { None };
            bytes = bytes.saturating_add(known.unwrap_or_default());
            let is_refused = known.is_some_and(|value| bytes > REPLY_BYTES_MAX && bytes > value);
            if is_refused {
                answered.push((*position, Err(StoreError::ReplyTooLarge)));
            }
            !is_refused
        });
    }

    /// Takes the answers that are final. Returns the positions of the operations that are to be sent again: those that
    /// were refused, and reads of the same key after them, which were answered too early. A node that refuses a change because it
    /// is no master answers no read of that key either.
    fn settle_changes(
        &self,
        shard: &Shard,
        positions: Vec<usize>,
        answers: Vec<Result<Answer, NodeError>>,
        answered: &mut Vec<BatchAnswer>,
    ) -> Vec<usize> {
        let mut again: Vec<usize> = Vec::new();
        let mut refused: HashSet<&[u8]> = HashSet::new();
        let unmastered = self.keys_without_master(&positions, &answers);
        for (position, answer) in positions.into_iter().zip(answers) {
            let operation = &self.operations[position];
            let key = operation.key.as_bytes();
            let is_read = !is_change(operation);
            match answer {
                Err(error) if error.did_not_run() => {
                    refused.insert(key);
                    again.push(position);
                }
                Ok(early) if is_read && (refused.contains(key) || unmastered.contains(key)) => {
                    self.release_reply_bytes(&early);
                    again.push(position);
                }
                Err(error) if is_read => answered.push((position, Err(shard.read_failure(error)))),
                answer => {
                    // A change after a refused one did run, so the refused one must not run any more.
                    if refused.remove(key) {
                        let (late, rest): (Vec<usize>, _) =
                            again.iter().partition(|late| self.operations[**late].key.as_bytes() == key);
                        again = rest;
                        for position in late {
                            let error = shard.write_failure(NodeError::NotConnected);
                            answered.push((position, Err(error)));
                        }
                    }
                    answered.push((position, answer.map_err(|error| shard.write_failure(error))));
                }
            }
        }
        again
    }

    /// Returns the keys whose changes the node refused because it is no master, all that there were.
    fn keys_without_master(&self, positions: &[usize], answers: &[Result<Answer, NodeError>]) -> HashSet<&[u8]> {
        if !answers.iter().any(|answer| matches!(answer, Err(error) if error.is_demotion())) {
            return HashSet::new();
        }
        let (mut refused, mut made) = (HashSet::new(), HashSet::new());
        for (position, answer) in positions.iter().zip(answers) {
            let operation = &self.operations[*position];
            let keys = match answer {
                Err(error) if error.is_demotion() => &mut refused,
                Err(error) if error.did_not_run() => continue,
                _ if is_change(operation) => &mut made,
                _ => continue,
            };
            keys.insert(operation.key.as_bytes());
        }
        refused.retain(|key| !made.contains(key));
        refused
    }
}
