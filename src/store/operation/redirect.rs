//! Redirections of a Redis Cluster: `MOVED` and `ASK`, and the wait for a slot that no node serves.
//!
//! A node that redirects an operation has not run it, so writes are sent on as reads are.

use crate::{
    store::{
        error::{NodeError, StoreError},
        node::{
            Node, NodeId,
            call_timeout::{Abandon, CallTimeout},
            connection_class::ConnectionClass,
        },
        operation::{cluster_wait::ClusterWait, context::OperationContext},
        protocol::{command::ask_for_role, operation::OperationKind, refusal::ServerRefusal},
        shard::{Attempts, Shard},
        topology::cluster::Cluster,
    },
    telemetry::metrics::RedirectionKind,
    types::{Deadline, FullKey, WorkerArc},
};
use redis::{Cmd, Pipeline, Value};
use std::{ptr, sync::Arc};

/// Redirections that one operation follows without a wait in between.
const REDIRECTIONS_MAX: usize = 5;

/// One operation that goes to the master of its slot, wherever that is.
pub struct RedirectedOperation<'a> {
    /// The key.
    pub key: &'a FullKey<'a>,
    /// The Redis command.
    pub command: &'a Cmd,
    /// The kind of the operation.
    pub kind: &'a OperationKind<'a>,
    /// The class of the connection.
    pub connection_class: ConnectionClass,
    /// The deadline of the request.
    pub deadline: Deadline,
    /// The caller starts over if the redirection leads to no answer: other nodes than the master may answer, too.
    pub starts_over: bool,
}

/// The refusal of an operation by a node.
pub struct Rejection {
    /// The node that refused the operation.
    pub node: WorkerArc<Node>,
    /// The reason.
    pub error: NodeError,
}

/// Returns true if [`run`] is to take over an operation that this node refused. Where a replica does not name the
/// owner of the slot, the other nodes of its shard are asked instead.
pub fn applies_to(context: &OperationContext, error: &NodeError, shard: &Shard, node: &Node) -> bool {
    context.cluster.is_some() && error.is_redirection() && (error.names_a_node() || shard.is_master(node))
}

/// Returns true if the master has to confirm that a key does not exist: while a slot moves, a replica of the old owner
/// lacks the keys that have moved, and a replica of the new owner lacks the last ones for a moment. Only newer servers
/// tell.
pub fn must_confirm_miss(context: &OperationContext, shard: &Shard, node: &Node) -> bool {
    context.cluster.is_some() && !shard.is_master(node)
}

/// Returns the result of a read for which no node is left; see [`Shard::miss_or`]. A replica's answer that the key does
/// not exist does not count if the key may be at another shard, which only the lost master would tell.
pub fn miss_or<T>(
    context: &OperationContext,
    shard: &Shard,
    key: &FullKey<'_>,
    attempts: &Attempts,
    error: StoreError,
) -> Result<Option<T>, StoreError> {
    if may_be_elsewhere(context, shard, key) { Err(error) } else { shard.miss_or(attempts, error) }
}

/// Returns true if a key may be at another shard than the one that was asked: its slot is on the move, or has got another
/// owner meanwhile.
fn may_be_elsewhere(context: &OperationContext, shard: &Shard, key: &FullKey<'_>) -> bool {
    let Some(cluster) = &context.cluster else { return false };
    let is_moving = context.map.load().slot(key).is_some_and(|slot| cluster.is_moving(slot));
    // A move counts as ended only after the map shows the owner, so the map is loaded now.
    let map = context.map.load();
    let (owner, _) = map.locate(key);
    is_moving || !ptr::eq(Arc::as_ptr(map.shard(owner)), shard)
}

/// Updates the map by the redirections among these errors of a node.
pub fn record<'a>(context: &OperationContext, node: &Node, errors: impl Iterator<Item = &'a NodeError>) {
    let Some(cluster) = &context.cluster else { return };
    for error in errors {
        if let Some(ServerRefusal::Moved(Some(target))) = error.refusal() {
            cluster.on_moved(target.slot, &target.address(&node.address), node);
        }
    }
}

/// Runs an operation on the master of its slot, wherever redirections lead, and waits for a master within the deadline.
/// `rejection` is the refusal that is known already; `parse` reads the answer.
pub async fn run<T>(
    context: &OperationContext,
    operation: &RedirectedOperation<'_>,
    rejection: Option<Rejection>,
    parse: impl Fn(Value, u32) -> Result<T, NodeError>,
) -> Result<T, StoreError> {
    let Some(cluster) = &context.cluster else {
        return Err(operation.failure(&context.route(operation.key).shard, NodeError::NotConnected));
    };
    let redirector = Redirector {
        context,
        cluster,
        operation,
        asked: rejection.iter().map(|rejection| rejection.node.id).collect(),
        redirections: 0,
        last_redirection: None,
        wait: ClusterWait::new(context, cluster, operation.deadline),
    };
    redirector.run(rejection, parse).await
}

/// Follows the redirections of one operation.
struct Redirector<'a> {
    context: &'a OperationContext,
    cluster: &'a Cluster,
    operation: &'a RedirectedOperation<'a>,
    /// The nodes that were asked so far.
    asked: Vec<NodeId>,
    /// The number of redirections since the last wait.
    redirections: usize,
    /// The last redirection that was followed.
    last_redirection: Option<NodeError>,
    wait: ClusterWait<'a>,
}

impl Redirector<'_> {
    async fn run<T>(
        mut self,
        mut rejection: Option<Rejection>,
        parse: impl Fn(Value, u32) -> Result<T, NodeError>,
    ) -> Result<T, StoreError> {
        loop {
            let (node, asking) = self.next(rejection.take()).await?;
            let answer = self.operation.ask(&node, asking).await;
            self.asked.push(node.id);
            match answer.and_then(|(value, replicas)| parse(value, replicas)) {
                Err(error) if self.operation.may_be_repeated(&error) => rejection = Some(Rejection { node, error }),
                answer => {
                    if self.operation.is_change() {
                        node.request_offset();
                    }
                    return answer.map_err(|error| self.failure(error));
                }
            }
        }
    }

    /// Returns the node to ask now, and true if `ASKING` has to precede the command.
    async fn next(&mut self, rejection: Option<Rejection>) -> Result<(WorkerArc<Node>, bool), StoreError> {
        let Some(Rejection { node, error }) = rejection else { return self.master().await };
        let (to, shard, asking) = match error.refusal() {
            Some(ServerRefusal::Moved(Some(target))) => {
                self.context.metrics.redirections.count(RedirectionKind::Moved);
                let to = target.address(&node.address);
                let shard = self.cluster.on_moved(target.slot, &to, &node);
                (to, shard, false)
            }
            Some(ServerRefusal::Ask(Some(target))) => {
                self.context.metrics.redirections.count(RedirectionKind::Ask);
                let to = target.address(&node.address);
                let shard = self.cluster.on_ask(target.slot, &to);
                (to, Some(shard), true)
            }
            _ if self.operation.starts_over => return Err(self.failure(error)),
            _ => {
                self.pause(error).await?;
                return self.master().await;
            }
        };
        let found = match shard {
            Some(shard) => shard.node(&to, self.operation.deadline).await,
            None => Err(NodeError::NotConnected),
        };
        self.last_redirection = Some(error.clone());
        let found = found.map_err(|error| self.failure(error))?;
        self.redirections += 1;
        let is_circular = self.asked.contains(&found.id) && !asking;
        if is_circular || self.redirections > REDIRECTIONS_MAX {
            // The nodes redirect to each other until they have learned of the new owner.
            self.pause(error).await?;
        }
        Ok((found, asking))
    }

    /// Returns the shard that has the key's slot by the current map.
    fn owner(&self) -> WorkerArc<Shard> {
        self.context.route(self.operation.key).shard
    }

    async fn master(&self) -> Result<(WorkerArc<Node>, bool), StoreError> {
        Ok((self.owner().writer(&Attempts::default(), self.operation.deadline).await?, false))
    }

    /// Waits a moment, or until shards or nodes come or go. Fails with `error` if the deadline has passed.
    async fn pause(&mut self, error: NodeError) -> Result<(), StoreError> {
        self.redirections = 0;
        if self.wait.pause().await { Ok(()) } else { Err(self.failure(error)) }
    }

    /// Returns the error of the operation. If the node that it was redirected to is lost, the redirection is the reason, so
    /// that the caller may start over.
    fn failure(&self, error: NodeError) -> StoreError {
        let is_lost =
            matches!(error, NodeError::Lost | NodeError::NotConnected | NodeError::TimedOut | NodeError::Hung);
        let reason = self.last_redirection.clone().filter(|_| is_lost && self.operation.starts_over);
        self.operation.failure(&self.owner(), reason.unwrap_or(error))
    }
}

impl RedirectedOperation<'_> {
    fn is_change(&self) -> bool {
        !self.kind.is_read()
    }

    /// Returns true if the operation may be sent again after this error.
    fn may_be_repeated(&self, error: &NodeError) -> bool {
        error.did_not_run() || (!self.is_change() && matches!(error, NodeError::Lost))
    }

    /// Sends the command to a node, behind `ASKING` if need be, in one message so that nothing comes between the two.
    /// Returns the answer, and the number of replicas that had a change when that was waited for.
    async fn ask(&self, node: &Node, asking: bool) -> Result<(Value, u32), NodeError> {
        let mut commands = Pipeline::with_capacity(2);
        if asking {
            commands.cmd("ASKING");
        }
        commands.add_command(self.command.clone());
        let must_prove = self.kind.is_strict_read();
        if must_prove {
            ask_for_role(&mut commands);
        }
        let abandon = if self.is_change() { Abandon::AtDeadline } else { Abandon::WhenHung };
        let call_timeout = CallTimeout::new(self.deadline, abandon);
        let (mut answers, replicas) = match self.kind.replicas() {
            0 => (node.call_all_as_owner(&commands, self.connection_class, call_timeout).await?, 0),
            replicas => node.call_all_and_wait(&commands, replicas, self.deadline).await?,
        };
        let role = if must_prove { answers.pop() } else { None };
        let answer = answers.pop().ok_or(NodeError::Unexpected)?;
        let answer = match role {
            Some(role) => node.proven(answer, &role)?,
            None => answer,
        };
        Ok((answer, replicas))
    }

    fn failure(&self, shard: &Shard, error: NodeError) -> StoreError {
        if self.is_change() { shard.write_failure(error) } else { shard.read_failure(error) }
    }
}
