//! Changes: on the master, once.

use crate::{
    store::{
        error::{Access, StoreError},
        node::{NodeId, call_timeout::CallTimeout, connection_class::ConnectionClass},
        operation::{
            context::OperationContext,
            redirect::{self, RedirectedOperation, Rejection},
            ring_change,
        },
        protocol::{
            command::command,
            operation::{Answer, OperationKind},
            reply::parse_answer,
        },
        shard::{Attempts, Shard},
        shard_map::Route,
    },
    telemetry::{metrics::Outcome, traces},
    types::{Deadline, FullKey, boxed},
};
use redis::Cmd;
use tracing::Instrument;

/// Runs a change on the master of the key's shard. If a reload gives the key to another shard meanwhile, the change runs
/// again there.
pub async fn write(
    context: &OperationContext,
    key: &FullKey<'_>,
    kind: &OperationKind<'_>,
    deadline: Deadline,
) -> Result<Answer, StoreError> {
    context.wait_until_known(deadline).await;
    let route = context.route(key);
    let mut guard = context.change_guard(route.hash);
    let change = WriteOperation {
        context,
        key,
        kind,
        command: command(key, kind),
        connection_class: context.connection_class(route.hash, kind),
        deadline,
    };
    let first = change.run(&route).await;
    let answer = match change.next_route(&route, &first) {
        None => first.answer,
        Some(next) => Box::pin(change.run_again(next, first)).await,
    };
    if answer.is_ok() {
        guard.succeed(kind);
    }
    answer
}

/// One change of one key.
struct WriteOperation<'a> {
    context: &'a OperationContext,
    key: &'a FullKey<'a>,
    kind: &'a OperationKind<'a>,
    command: Cmd,
    connection_class: ConnectionClass,
    deadline: Deadline,
}

/// The answer of a shard to a change.
struct ShardAnswer {
    /// The node that the change was last sent to; `None` if it was sent to none.
    node: Option<NodeId>,
    answer: Result<Answer, StoreError>,
}

impl WriteOperation<'_> {
    /// Runs the change on one shard.
    async fn run(&self, route: &Route) -> ShardAnswer {
        let name = if matches!(self.kind, OperationKind::Delete) { "delete" } else { "write" };
        let span = traces::shard(|| route.shard.name(), name, 1);
        // In a box, so that a request that reads, and an idle connection, does not carry the room for it.
        let mut change = boxed(|| self.run_on(&route.shard)).instrument(span);
        let ran = (&mut change).await;
        traces::end_with(change.span(), ran.answer.as_ref().map_or_else(StoreError::outcome, |_| Outcome::Success));
        ran
    }

    async fn run_on(&self, shard: &Shard) -> ShardAnswer {
        let mut node = None;
        let answer = self.send(shard, &mut node).await;
        ShardAnswer { node, answer }
    }

    /// Sends the change to the master until a node has run it. `asked` receives the node that it was last sent to.
    async fn send(&self, shard: &Shard, asked: &mut Option<NodeId>) -> Result<Answer, StoreError> {
        let Self { context, key, kind, ref command, connection_class, deadline } = *self;
        let call_timeout = CallTimeout::until(deadline);
        let mut attempts = Attempts::default();
        loop {
            let node = shard.writer(&attempts, deadline).await?;
            *asked = Some(node.id);
            let connection = node.connections_opened();
            let answer = match kind.replicas() {
                0 => node
                    .call(command, connection_class, call_timeout)
                    .await
                    .and_then(|value| Ok(parse_answer(kind, value, 0)?)),
                replicas => {
                    let answer = Box::pin(node.call_and_wait(command, replicas, deadline)).await;
                    answer.and_then(|(value, replicas)| Ok(parse_answer(kind, value, replicas)?))
                }
            };
            match answer {
                Err(error) if redirect::applies_to(context, &error, shard, &node) => {
                    let redirected =
                        RedirectedOperation { key, command, kind, connection_class, deadline, starts_over: false };
                    let rejection = Some(Rejection { node, error });
                    return Box::pin(redirect::run(context, &redirected, rejection, |value, replicas| {
                        Ok(parse_answer(kind, value, replicas)?)
                    }))
                    .await;
                }
                Err(error) if error.did_not_run() => {
                    node.investigate(&error);
                    context.metrics.write_retries.count();
                    attempts.record(&node, connection, error);
                }
                answer => {
                    node.request_offset();
                    return answer.map_err(|error| shard.write_failure(error));
                }
            }
        }
    }

    /// Runs the change again until its key belongs to the shard that it ran on last.
    async fn run_again(&self, mut route: Route, mut before: ShardAnswer) -> Result<Answer, StoreError> {
        loop {
            let mut again = self.run(&route).await;
            ring_change::merge(Access::Write, &before.answer, &mut again.answer);
            match self.next_route(&route, &again) {
                None => return again.answer,
                Some(next) => (route, before) = (next, again),
            }
        }
    }

    /// Returns the route by which the change has to run again. After the deadline a failed change is not repeated.
    fn next_route(&self, route: &Route, ran: &ShardAnswer) -> Option<Route> {
        let made_by = ran.node.filter(|_| ran.answer.is_ok());
        let map = ring_change::map_to_run_again(self.context, route.map, [(route.shard.shared(), made_by)])?;
        let next = ring_change::next_route(&map, self.key, route.shard.shared(), ran.node)?;
        (ran.answer.is_ok() || !self.deadline.has_passed()).then_some(next)
    }
}
