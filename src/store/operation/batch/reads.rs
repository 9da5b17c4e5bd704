//! The reads of a batch that replicas may answer.

use super::pipeline::{Batch, BatchAnswer};
use crate::{
    store::{
        consistency::ReadRequirement,
        error::{Advice, NodeError, StoreError},
        inspection::NodeAnswerView,
        node::{Node, NodeId, call_timeout::CallTimeout},
        operation::redirect,
        protocol::operation::{Answer, OperationKind},
        shard::{Attempts, Shard, selection::PreferredNode},
    },
    types::WorkerArc,
};
use futures_util::future::join_all;
use std::collections::BTreeMap;

/// Bytes of values that one message is expected to be answered with. A message is sent when the window of the client has
/// room for its answer, so that small messages bound the memory for a reply that is too large.
const MESSAGE_BYTES: usize = 1024 * 1024;
/// Maximum number of reads in one message.
const READS_MAX: usize = 128;

/// A read that has no answer yet.
struct PendingRead {
    position: usize,
    requirement: ReadRequirement,
    attempts: Attempts,
}

/// A read with the choice of its node.
struct ChosenRead {
    read: PendingRead,
    call_timeout: CallTimeout,
    preferred: Option<PreferredNode>,
    /// The key is watched, and the node has everything that the read has to show.
    covers: bool,
}

/// The reads that go to one node.
struct NodeReads {
    node: WorkerArc<Node>,
    /// The number of connections that the node had had when it was chosen.
    connection: u64,
    reads: Vec<ChosenRead>,
}

/// The reads that go out in one round, by node.
type Groups = BTreeMap<NodeId, NodeReads>;

/// The reads of one shard, as far as they have come.
#[derive(Default)]
struct ReadProgress {
    /// The reads that are sent in the next round.
    open: Vec<PendingRead>,
    /// The positions of reads that a node of a Redis Cluster redirected.
    redirected: Vec<usize>,
    answered: Vec<BatchAnswer>,
}

impl Batch<'_> {
    /// Reads from replicas; a read that one node does not answer is sent to another.
    pub(super) async fn read(&self, shard: &Shard, positions: Vec<usize>) -> Vec<BatchAnswer> {
        let open = positions.into_iter().map(|position| self.pending_read(position)).collect();
        let mut progress = ReadProgress { open, ..ReadProgress::default() };
        while !progress.open.is_empty() {
            let groups = self.group_by_node(shard, &mut progress.open);
            if groups.is_empty() {
                // Nothing else is left that would be held up by the wait.
                self.wait_for_reader(shard, &mut progress).await;
                continue;
            }
            let messages = groups
                .values()
                .flat_map(|group| self.messages(shard, &group.reads).into_iter().map(move |reads| (group, reads)));
            let answers = join_all(messages.map(|(group, reads)| self.send_reads(shard, &group.node, reads))).await;
            // In the order of the groups, message after message, so that each read meets its own answer.
            let mut answers = answers.into_iter().flatten();
            for NodeReads { node, connection, reads } in groups.into_values() {
                for (chosen, answer) in reads.into_iter().zip(&mut answers) {
                    self.settle(shard, &node, connection, chosen, answer, &mut progress);
                }
            }
        }
        progress.answered.extend(Box::pin(self.read_redirected(shard, progress.redirected)).await);
        progress.answered
    }

    /// Divides the reads of one node into messages, by the sizes that their values had or probably have.
    fn messages<'r>(&self, shard: &Shard, reads: &'r [ChosenRead]) -> Vec<&'r [ChosenRead]> {
        let probable_bytes = shard.value_size.bytes();
        let (mut messages, mut start, mut bytes) = (Vec::new(), 0, 0);
        for (end, chosen) in reads.iter().enumerate() {
            let known_bytes = self.context.large_keys.bytes(self.hashes[chosen.read.position]);
            let more = known_bytes.unwrap_or(probable_bytes);
            if end > start && (bytes + more > MESSAGE_BYTES || end - start == READS_MAX) {
                messages.push(&reads[start..end]);
                (start, bytes) = (end, 0);
            }
            bytes += more;
        }
        messages.push(&reads[start..]);
        messages
    }

    fn pending_read(&self, position: usize) -> PendingRead {
        let freshness = self.operations[position].kind.freshness();
        let requirement = self.context.requirement(self.hashes[position], freshness);
        PendingRead { position, requirement, attempts: Attempts::default() }
    }

    /// Waits until the first open read has a node to go to. Without one, all open reads have failed.
    async fn wait_for_reader(&self, shard: &Shard, progress: &mut ReadProgress) {
        let Some(first) = progress.open.first() else { return };
        let found = shard.reader(&first.requirement, &first.attempts, self.deadline).await;
        if let Err(error) = found {
            if error.is_redirection() {
                progress.redirected.extend(progress.open.drain(..).map(|read| read.position));
            }
            for read in std::mem::take(&mut progress.open) {
                let key = self.operations[read.position].key;
                let answer = redirect::miss_or(self.context, shard, key, &read.attempts, error.clone());
                let answer = answer.map(Answer::Got);
                progress.answered.push((read.position, answer));
            }
        }
    }

    /// Takes each open read that a node may answer now, and adds it to the group of that node.
    fn group_by_node(&self, shard: &Shard, open: &mut Vec<PendingRead>) -> Groups {
        let members = shard.members();
        let mut groups = Groups::new();
        for read in std::mem::take(open) {
            let Some(choice) = members.choose(&read.requirement, &read.attempts) else {
                open.push(read);
                continue;
            };
            let (call_timeout, preferred) = (CallTimeout::new(self.deadline, choice.abandon()), choice.fallback);
            let group = groups.entry(choice.node.id).or_insert_with(|| NodeReads {
                connection: choice.node.connections_opened(),
                node: members.handle(choice.node),
                reads: Vec::new(),
            });
            let covers = self.context.sampler.covers(&read.requirement, shard, &group.node);
            group.reads.push(ChosenRead { read, call_timeout, preferred, covers });
        }
        groups
    }

    /// Sends some reads to one node as one message.
    async fn send_reads(&self, shard: &Shard, node: &Node, reads: &[ChosenRead]) -> Vec<Result<Answer, NodeError>> {
        let positions: Vec<usize> = reads.iter().map(|chosen| chosen.read.position).collect();
        self.send(shard, node, &positions, reads[0].call_timeout).await
    }

    /// Takes the answer to a read, or opens the read again.
    fn settle(
        &self,
        shard: &Shard,
        node: &WorkerArc<Node>,
        connection: u64,
        chosen: ChosenRead,
        answer: Result<Answer, NodeError>,
        progress: &mut ReadProgress,
    ) {
        let ChosenRead { mut read, preferred, covers, .. } = chosen;
        match answer {
            Err(error) if redirect::applies_to(self.context, &error, shard, node) => {
                redirect::record(self.context, node, std::iter::once(&error));
                progress.redirected.push(read.position);
            }
            Ok(Answer::Got(None)) if redirect::must_confirm_miss(self.context, shard, node) => {
                read.attempts.record_miss();
                progress.open.push(read);
            }
            Err(error) if error.advice() == Advice::RetryElsewhere => {
                read.attempts.record(node, connection, error);
                progress.open.push(read);
            }
            Err(error) => progress.answered.push((read.position, Err(shard.read_failure(error)))),
            Ok(answer) => {
                self.context.record_fallback(preferred, node);
                self.observe(&read, node, covers, &answer);
                progress.answered.push((read.position, Ok::<_, StoreError>(answer)));
            }
        }
    }

    /// Observes an answer for the inspection.
    fn observe(&self, read: &PendingRead, node: &WorkerArc<Node>, covers: bool, answer: &Answer) {
        let kind = &self.operations[read.position].kind;
        if let (Answer::Got(bytes), OperationKind::Get(_)) = (answer, kind) {
            let observed = NodeAnswerView { node: node.shared(), covers, bytes: bytes.as_deref() };
            self.context.sampler.observe_read(self.operations[read.position].key, &read.requirement, observed);
        }
    }
}
