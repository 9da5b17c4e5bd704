//! The operations of one batch, and the pipelines that carry them to nodes.

use crate::{
    store::{
        error::{NodeError, StoreError},
        node::{Node, call_timeout::CallTimeout, client_windows::ReadKeys, connection_class::ConnectionClass},
        operation::{
            context::OperationContext,
            read,
            redirect::{self, RedirectedOperation},
        },
        protocol::{
            command::{ask_for_role, command},
            operation::{Answer, Operation, OperationKind},
            reply::parse_answer,
        },
        shard::Shard,
    },
    types::{ClientNumber, Deadline, ReplyMemory},
};
use futures_util::future::join_all;
use redis::Value;
use std::collections::BTreeMap;

/// The position of an operation in the batch, and its answer.
pub type BatchAnswer = (usize, Result<Answer, StoreError>);

/// The operations of one batch, and the memory of its reply.
pub struct Batch<'a> {
    /// The parts that all operations share.
    pub(super) context: &'a OperationContext,
    /// The operations, in the order of the request.
    pub(super) operations: &'a [Operation<'a>],
    /// The hash of each operation's key.
    pub(super) hashes: Vec<u64>,
    /// The time by which all answers are due.
    pub(super) deadline: Deadline,
    /// The memory of the reply, from which the values take their bytes.
    pub(super) memory: &'a ReplyMemory<'a>,
}

impl Batch<'_> {
    /// Sends operations to a node as one pipeline.
    pub(super) async fn send(
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
        let must_prove = positions.iter().any(|position| self.must_prove_role(*position, node));
        if must_prove {
            ask_for_role(&mut pipeline);
        }
        let is_read_only = positions.iter().all(|position| self.operations[*position].kind.is_read());
        let class = self.connection_class(positions);
        let hashes: Vec<u64> = positions.iter().map(|position| self.read_hash(*position)).collect();
        let keys = ReadKeys { client: self.client(), hashes: &hashes };
        let replicas = positions.iter().map(|position| self.operations[*position].kind.replicas()).max().unwrap_or(0);
        let answers = match replicas {
            0 if is_read_only => node.read_all(&pipeline, keys, class, call_timeout).await.map(|values| (values, 0)),
            0 => node.call_all_for(&pipeline, keys, class, call_timeout).await.map(|values| (values, 0)),
            replicas => node.call_all_and_wait(&pipeline, replicas, self.deadline).await,
        };
        match answers {
            Ok((mut values, replicas)) => {
                let role = if must_prove { values.pop() } else { None };
                let proof = role.map_or(Ok(()), |role| node.verify_master(&role));
                let mut answers = Vec::with_capacity(positions.len());
                for (position, value) in positions.iter().zip(values) {
                    if let Value::BulkString(bytes) = &value {
                        shard.value_size.record(bytes.len());
                    }
                    // An error needs no proof, and a value without proof takes no room in the reply.
                    let needs_proof =
                        self.operations[*position].kind.is_strict_read() && !matches!(value, Value::ServerError(_));
                    let proof = if needs_proof { proof.clone() } else { Ok(()) };
                    answers.push(proof.and_then(|()| self.parse(*position, value, replicas)));
                }
                answers
            }
            Err(error) => positions.iter().map(|_| Err(error.clone())).collect(),
        }
    }

    /// Returns the hash of the key that an operation reads; 0 for a change.
    fn read_hash(&self, position: usize) -> u64 {
        match self.operations[position].kind {
            OperationKind::Get(_) => self.hashes[position],
            _ => 0,
        }
    }

    /// Returns the client that the batch comes from.
    fn client(&self) -> ClientNumber {
        self.operations.first().map(|operation| operation.key.client()).unwrap_or_default()
    }

    /// Returns true if the operation is a read that counts only if the node proves that it is the master.
    fn must_prove_role(&self, position: usize, node: &Node) -> bool {
        match self.operations[position].kind {
            OperationKind::Get(freshness) | OperationKind::TimeLeft(freshness) => {
                node.must_prove_role(&self.context.requirement(self.hashes[position], freshness))
            }
            _ => false,
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
            self.reserve_reply_bytes(bytes.len())?;
        }
        Ok(parse_answer(&self.operations[position].kind, value, replicas)?)
    }

    /// Reserves room in the reply for a value.
    fn reserve_reply_bytes(&self, bytes: usize) -> Result<(), NodeError> {
        Ok(self.memory.reserve(bytes)?)
    }

    /// Gives back the room of an answer that another one will take the place of.
    pub(super) fn release_reply_bytes(&self, answer: &Answer) {
        if let Answer::Got(Some(bytes)) = answer {
            self.memory.release(bytes.len());
        }
    }

    /// Runs reads that a node of a Redis Cluster redirected, each as a read of its own.
    pub(super) async fn read_redirected(&self, shard: &Shard, positions: Vec<usize>) -> Vec<BatchAnswer> {
        let reads = positions.into_iter().map(|position| async move {
            let Operation { key, kind } = &self.operations[position];
            let found = read::get(self.context, key, kind, self.deadline).await;
            let answer = found.and_then(|bytes| {
                let reserved = self.reserve_reply_bytes(bytes.as_ref().map_or(0, Vec::len));
                reserved.map(|()| Answer::Got(bytes)).map_err(|error| shard.read_failure(error))
            });
            (position, answer)
        });
        join_all(reads).await
    }

    /// Runs the operations that a node of a Redis Cluster redirected, each key on its own and the operations on a key in
    /// their order.
    pub(super) async fn redirect_all(&self, positions: Vec<usize>) -> Vec<BatchAnswer> {
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
            starts_over: false,
        };
        let answer =
            redirect::run(self.context, &redirected, None, |value, replicas| self.parse(position, value, replicas));
        Box::pin(answer).await
    }
}
