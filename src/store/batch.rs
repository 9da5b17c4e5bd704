//! Many operations at once: one pipeline per node touched, all nodes at the same time.
//!
//! Operations on one key keep their order. A key that is written or deleted anywhere in the batch is therefore
//! also read from the master, in the same pipeline; all other reads go to replicas.

use super::{
    Answer, Operation, OperationKind, Store, StoreError, answer_to, command,
    error::{Advice, NodeError, WriteFailure},
    shard::{Shard, Tried},
};
use crate::{ring::key_hash, types::Deadline};
use futures_util::future::join_all;
use redis::Value;
use std::collections::{BTreeMap, HashSet};

/// An operation on its way.
struct Pending<'a> {
    operation: &'a Operation<'a>,
    shard: usize,
    hash: u64,
    /// It has to run on the master.
    on_master: bool,
    tried: Tried,
    answer: Option<Result<Answer, StoreError>>,
}

/// Runs all operations; answers in their order.
pub async fn run(store: &Store, operations: &[Operation<'_>], deadline: Deadline) -> Vec<Result<Answer, StoreError>> {
    let changed: HashSet<&[u8]> = operations
        .iter()
        .filter(|operation| !matches!(operation.kind, OperationKind::Get))
        .map(|operation| operation.key.as_bytes())
        .collect();
    let mut pending: Vec<Pending<'_>> = operations
        .iter()
        .map(|operation| {
            let hash = key_hash(operation.key.as_bytes());
            let on_master = changed.contains(operation.key.as_bytes());
            Pending {
                operation,
                shard: store.0.ring.owner(hash),
                hash,
                on_master,
                tried: Tried::default(),
                answer: None,
            }
        })
        .collect();
    // Each round sends what has no answer yet; a read that failed is sent to another node in the next one.
    loop {
        let groups = by_node(store, &mut pending, deadline).await;
        if groups.is_empty() {
            break;
        }
        let rounds = groups
            .into_iter()
            .map(|((shard, node), members)| round(&store.0.shards[shard], node, members, &pending, deadline));
        let answers = join_all(rounds).await;
        for (node, position, answer) in answers.into_iter().flatten() {
            let shard = &store.0.shards[pending[position].shard];
            pending[position].take(shard, node, answer);
        }
    }
    let unanswered = || unreachable!("the loop ends when every operation has an answer");
    pending.into_iter().map(|pending| pending.answer.unwrap_or_else(unanswered)).collect()
}

/// Positions of the unanswered operations by shard and node. What no node can take is answered with that error.
async fn by_node(
    store: &Store,
    pending: &mut [Pending<'_>],
    deadline: Deadline,
) -> BTreeMap<(usize, usize), Vec<usize>> {
    let mut groups: BTreeMap<_, Vec<usize>> = BTreeMap::new();
    for (position, item) in pending.iter_mut().enumerate().filter(|(_, item)| item.answer.is_none()) {
        let shard = &store.0.shards[item.shard];
        let node = if item.on_master {
            shard.writer(&item.tried, deadline).await
        } else {
            shard.reader(item.hash, &item.tried, deadline).await
        };
        match node {
            Ok(node) => groups.entry((item.shard, node)).or_default().push(position),
            Err(error) => item.answer = Some(Err(error)),
        }
    }
    groups
}

/// Sends one node its part, and returns node, position and answer of each.
async fn round(
    shard: &Shard,
    node: usize,
    members: Vec<usize>,
    pending: &[Pending<'_>],
    deadline: Deadline,
) -> Vec<(usize, usize, Result<Value, NodeError>)> {
    let mut pipeline = redis::Pipeline::with_capacity(members.len());
    for position in &members {
        let operation = pending[*position].operation;
        pipeline.add_command(command(&operation.key, &operation.kind));
    }
    // Reads can still go elsewhere when this node does not answer; writes can't.
    let reads_only = members.iter().all(|position| !pending[*position].on_master);
    let deadline = if reads_only { deadline.attempt(shard.attempt_timeout) } else { deadline };
    match shard.node(node).ask_all(&pipeline, deadline).await {
        Ok(answers) => {
            members.into_iter().zip(answers).map(|(position, answer)| (node, position, Ok(answer))).collect()
        }
        Err(error) => members.into_iter().map(|position| (node, position, Err(error.clone()))).collect(),
    }
}

impl Pending<'_> {
    /// Takes a node's answer, or notes that it has to be asked for elsewhere.
    fn take(&mut self, shard: &Shard, node: usize, answer: Result<Value, NodeError>) {
        let kind = &self.operation.kind;
        self.answer = match answer.and_then(|value| answer_to(kind, value)) {
            Ok(answer) => Some(Ok(answer)),
            Err(error) if self.on_master && error.did_not_run() => {
                shard.node(node).doubt();
                self.tried.note(node, error);
                None
            }
            Err(error) if !self.on_master && error.advice() == Advice::RetryElsewhere => {
                self.tried.note(node, error);
                None
            }
            Err(error) if !matches!(kind, OperationKind::Get) => Some(Err(shard.write_failure(WriteFailure(error)))),
            Err(error) => Some(Err(shard.read_failure(error))),
        };
    }
}
