//! Reads: from a replica that is fresh enough, then from the nodes that are left.

use crate::{
    store::{
        consistency::{Freshness, ReadRequirement},
        error::{Advice, NodeError, StoreError},
        inspection::NodeAnswerView,
        node::{
            Node, NodeId,
            call_timeout::{Abandon, CallTimeout},
            client_windows::ReadKeys,
            connection_class::ConnectionClass,
            read_command::ReadCommand,
            tracking::TrackedSource,
        },
        operation::{
            cluster_wait::ClusterWait,
            context::OperationContext,
            redirect::{self, RedirectedOperation, Rejection},
            tracked_value::TrackedValue,
        },
        protocol::{
            command::{command, tracked_get},
            operation::OperationKind,
            reply::parse_read,
        },
        shard::{Attempts, Shard, hedge::Hedge, selection::Reader},
    },
    telemetry::traces,
    types::{Deadline, FullKey, WorkerArc, boxed},
};
use redis::{Pipeline, Value};
use std::{
    future::poll_fn,
    pin::{Pin, pin},
    task::Poll,
};
use tokio::time::{Instant, sleep};
use tracing::Instrument;

/// Maximum number of questions to replicas that are not known to have the last change of a key.
const OWN_CHANGE_READS_MAX: usize = 3;

/// Reads what `kind`, which is a read, asks for, from a replica where one is fresh enough.
pub async fn get(
    context: &OperationContext,
    key: &FullKey<'_>,
    kind: &OperationKind<'_>,
    deadline: Deadline,
) -> Result<Option<Vec<u8>>, StoreError> {
    context.wait_until_known(deadline).await;
    read(context, key, kind, None, deadline).await.map(|read| read.bytes)
}

/// Reads the bytes under `key` as [`get`] does; where the node reports changes of the key, the origin of the answer comes with it.
pub async fn get_tracked(
    context: &OperationContext,
    key: &FullKey<'_>,
    freshness: Freshness,
    deadline: Deadline,
) -> Result<TrackedValue, StoreError> {
    context.wait_until_known(deadline).await;
    let mut found = read(context, key, &OperationKind::Get(freshness), Some(tracked_get(key)), deadline).await?;
    // A node of a cluster does not report that it lost the slot of a key that it does not have.
    if found.bytes.is_none() && context.cluster.is_some() {
        found.origin = None;
    }
    Ok(found)
}

/// Returns true if a read would now be sent to the node that an earlier answer came from, and that answer would still
/// be the same.
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
    let requirement = context.requirement(hash, freshness);
    let is_covered = !requirement.master_only && (!requirement.strict || source.covers >= requirement.since);
    is_covered && map.shard(shard).would_read(&requirement, source.node)
}

/// Reads until a node answers. A read that a Redis Cluster refuses for now is started over within its deadline.
async fn read(
    context: &OperationContext,
    key: &FullKey<'_>,
    kind: &OperationKind<'_>,
    tracked_command: Option<Pipeline>,
    deadline: Deadline,
) -> Result<TrackedValue, StoreError> {
    match read_once(context, key, kind, tracked_command, deadline).await {
        Err(error) if error.is_redirection() => Box::pin(start_over(context, key, kind, deadline, error)).await,
        answer => answer,
    }
}

async fn start_over(
    context: &OperationContext,
    key: &FullKey<'_>,
    kind: &OperationKind<'_>,
    deadline: Deadline,
    mut error: StoreError,
) -> Result<TrackedValue, StoreError> {
    let Some(cluster) = &context.cluster else { return Err(error) };
    let mut wait = ClusterWait::new(context, cluster, deadline);
    while wait.pause().await {
        match read_once(context, key, kind, None, deadline).await {
            Err(again) if again.is_redirection() => error = again,
            answer => return answer,
        }
    }
    Err(error)
}

async fn read_once(
    context: &OperationContext,
    key: &FullKey<'_>,
    kind: &OperationKind<'_>,
    tracked_command: Option<Pipeline>,
    deadline: Deadline,
) -> Result<TrackedValue, StoreError> {
    let route = context.route(key);
    let (shard, hash) = (&*route.shard, route.hash);
    let connection_class = context.connection_class(hash, kind);
    let operation = ReadOperation {
        context,
        shard,
        key,
        kind,
        hash,
        requirement: context.requirement(hash, kind.freshness()),
        tracked_command,
        connection_class,
        deadline,
    };
    // In a box, so that a request that the near cache answers does not carry the room for it. The span is around the box: a
    // future is copied into what wraps it.
    let mut read = boxed(|| operation.run()).instrument(traces::shard(|| shard.name(), "read", 1));
    let answer = (&mut read).await;
    traces::end_with(read.span(), answer.as_ref().map_or_else(StoreError::outcome, TrackedValue::outcome));
    answer
}

/// One read of one key.
struct ReadOperation<'a> {
    context: &'a OperationContext,
    shard: &'a Shard,
    key: &'a FullKey<'a>,
    kind: &'a OperationKind<'a>,
    hash: u64,
    requirement: ReadRequirement,
    /// The commands that take the place of a GET where the node reports changes of the key.
    tracked_command: Option<Pipeline>,
    connection_class: ConnectionClass,
    deadline: Deadline,
}

impl ReadOperation<'_> {
    async fn run(&self) -> Result<TrackedValue, StoreError> {
        let mut attempts = Attempts::default();
        loop {
            let reader = match self.shard.reader(&self.requirement, &attempts, self.deadline).await {
                Ok(reader) => reader,
                Err(error) => {
                    let missed = redirect::miss_or(self.context, self.shard, self.key, &attempts, error);
                    return missed.map(TrackedValue::untracked);
                }
            };
            let preferred = reader.fallback;
            let NodeAnswer { node, connection, covers, answer, tracking } = match &self.shard.hedge {
                None => {
                    let call_timeout = CallTimeout::new(self.deadline, reader.abandon);
                    self.ask(reader.node, call_timeout).await
                }
                Some(hedge) => self.ask_hedged(hedge, reader, &attempts).await,
            };
            if let Ok(Value::BulkString(value)) = &answer {
                self.shard.value_size.record(value.len());
            }
            match answer.and_then(|value| Ok(parse_read(self.kind, value)?)) {
                Err(error) if redirect::applies_to(self.context, &error, self.shard, &node) => {
                    let answer = self.redirect(Rejection { node, error });
                    return Box::pin(answer).await.map(TrackedValue::untracked);
                }
                Ok(None) if redirect::must_confirm_miss(self.context, self.shard, &node) => attempts.record_miss(),
                Err(error) if error.advice() == Advice::RetryElsewhere => attempts.record(&node, connection, error),
                Err(error) => return Err(self.shard.read_failure(error)),
                Ok(bytes) => {
                    self.context.record_fallback(preferred, &node);
                    if let OperationKind::Get(_) = self.kind {
                        let observed = NodeAnswerView { node: node.shared(), covers, bytes: bytes.as_deref() };
                        self.context.sampler.observe_read(self.key, &self.requirement, observed);
                    }
                    return Ok(TrackedValue::new(bytes, tracking));
                }
            }
        }
    }

    /// Asks one node.
    async fn ask(&self, node: WorkerArc<Node>, call_timeout: CallTimeout) -> NodeAnswer {
        let connection = node.connections_opened();
        let must_prove = node.must_prove_role(&self.requirement);
        let (key, class) = (self.key, self.connection_class);
        let keys = ReadKeys { client: self.key.client(), hashes: std::slice::from_ref(&self.hash) };
        let covers = self.context.sampler.covers(&self.requirement, self.shard, &node);
        let answer = match &self.tracked_command {
            None => {
                let command = ReadCommand { key, kind: self.kind };
                node.read(command, keys, class, call_timeout, must_prove).await.map(|value| (value, None))
            }
            Some(tracked) => {
                node.read_tracked(ReadCommand { key, kind: self.kind }, tracked, keys, class, call_timeout, must_prove)
                    .await
            }
        };
        let (answer, tracking) = match answer {
            Ok((value, tracking)) => (Ok(value), tracking),
            Err(error) => (Err(error), None),
        };
        NodeAnswer { node, connection, covers, answer, tracking }
    }

    /// Asks the first node, and another one as well if the first one is slow; the first good answer wins.
    async fn ask_hedged(&self, hedge: &Hedge, reader: Reader, attempts: &Attempts) -> NodeAnswer {
        let (start, delay) = (Instant::now(), hedge.delay());
        let call_timeout = CallTimeout::new(self.deadline, reader.abandon).waking_after(delay);
        let first_node = reader.node.id;
        let mut first = pin!(self.ask(reader.node, call_timeout));
        let mut is_first_poll = true;
        let in_time = poll_fn(|context| match first.as_mut().poll(context) {
            Poll::Ready(answer) => Poll::Ready(Some(answer)),
            // The call has woken this task without an answer, or something else has.
            Poll::Pending if !std::mem::take(&mut is_first_poll) && start.elapsed() >= delay => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        });
        let answer = match in_time.await {
            Some(answer) => {
                if answer.answer.is_ok() {
                    answer.node.record_quick_answer();
                }
                answer
            }
            None => Box::pin(self.hedge(hedge, first.as_mut(), first_node, attempts)).await,
        };
        if hedge.is_sampled(start) {
            hedge.record_duration(start.elapsed());
        }
        answer
    }

    /// Asks another node while the first one has not answered yet.
    async fn hedge(
        &self,
        hedge: &Hedge,
        mut first: Pin<&mut impl Future<Output = NodeAnswer>>,
        first_node: NodeId,
        attempts: &Attempts,
    ) -> NodeAnswer {
        let now = self.shard.hedge_target(&self.requirement, attempts, first_node);
        let other = if now.is_some() {
            now
        } else {
            tokio::select! {
                answer = first.as_mut() => return answer,
                Some(answer) = self.read_own_change(hedge, attempts, first_node) => {
                    self.context.metrics.hedges_won.count();
                    return answer;
                }
                other = self.shard.wait_for_hedge_target(&self.requirement, attempts, first_node, self.deadline) => other,
            }
        };
        let Some(other) = other.filter(|_| hedge.try_spend()) else { return first.await };
        let mut second = pin!(self.ask_second(other));
        let answer = tokio::select! {
            answer = first.as_mut() => if answer.answer.is_ok() { answer } else { second.await },
            answer = &mut second => if answer.answer.is_ok() { answer } else { first.await },
        };
        if answer.node.id != first_node && answer.answer.is_ok() {
            self.context.metrics.hedges_won.count();
            self.shard.record_lost_hedge(first_node);
        }
        answer
    }

    /// Asks a node after another one was late.
    async fn ask_second(&self, node: WorkerArc<Node>) -> NodeAnswer {
        self.context.metrics.hedges.count();
        self.ask(node, CallTimeout::new(self.deadline, Abandon::WhenUnresponsive)).await
    }

    /// Asks replicas that are not known to have the last change of the key, one after the other. An answer counts if it shows
    /// the value that this process has written last.
    async fn read_own_change(&self, hedge: &Hedge, attempts: &Attempts, first: NodeId) -> Option<NodeAnswer> {
        let changes = &self.context.recent_changes;
        if !changes.may_prove(&self.requirement) || !matches!(self.kind, OperationKind::Get(_)) {
            return None;
        }
        let replicas = self.shard.unproven_replicas(&self.requirement, attempts, first);
        for (number, replica) in replicas.iter().cycle().take(OWN_CHANGE_READS_MAX).enumerate() {
            if number >= replicas.len() {
                // All have been asked, and may have received the change meanwhile.
                sleep(hedge.delay()).await;
            }
            // The first question costs the replicas no more than a read that the last change did not keep from them.
            if number > 0 && !hedge.try_spend() {
                break;
            }
            let answer = self.ask_second(replica.clone()).await;
            let is_proven = match &answer.answer {
                Ok(Value::BulkString(bytes)) => changes.proves(&self.requirement, Some(bytes)),
                Ok(Value::Nil) => changes.proves(&self.requirement, None),
                _ => false,
            };
            if is_proven {
                return Some(answer);
            }
        }
        None
    }

    /// Runs the read where the node's refusal leads.
    async fn redirect(&self, rejection: Rejection) -> Result<Option<Vec<u8>>, StoreError> {
        let redirected = RedirectedOperation {
            key: self.key,
            command: &command(self.key, self.kind),
            kind: self.kind,
            connection_class: self.connection_class,
            deadline: self.deadline,
            starts_over: true,
        };
        redirect::run(self.context, &redirected, Some(rejection), |value, _| Ok(parse_read(self.kind, value)?)).await
    }
}

/// The answer of one node to a read.
struct NodeAnswer {
    node: WorkerArc<Node>,
    /// The number of connections that the node had had when it was asked.
    connection: u64,
    /// The key is watched, and the node had everything that the read has to show when it was asked.
    covers: bool,
    answer: Result<Value, NodeError>,
    /// The connection that reports changes of the key, and the answer about the time that the key has left.
    tracking: Option<(TrackedSource, Value)>,
}
