//! SET and UNLINK: on the master, once.

use crate::{
    store::{
        error::StoreError,
        node::connection::{Abandon, CallTimeout},
        operation::{
            context::OperationContext,
            redirect::{self, RedirectedOperation, Rejection},
        },
        protocol::{
            command::command,
            operation::{Answer, OperationKind},
            reply::parse_answer,
        },
        shard::Attempts,
        shard_map::Route,
    },
    telemetry::{metrics::Outcome, traces},
    types::{Deadline, FullKey},
};
use std::pin::pin;
use tracing::Instrument;

/// Runs a change on the master of the key's shard.
pub async fn write(
    context: &OperationContext,
    key: &FullKey<'_>,
    kind: &OperationKind<'_>,
    deadline: Deadline,
) -> Result<Answer, StoreError> {
    context.wait_until_known(deadline).await;
    let route = context.route(key);
    let _change = context.change_guard(route.hash);
    let name = if matches!(kind, OperationKind::Delete) { "delete" } else { "write" };
    let span = traces::shard(|| route.shard.name(), name, 1);
    let mut change = pin!(run(context, &route, key, kind, deadline).instrument(span));
    let answer = change.as_mut().await;
    traces::end_with(change.span(), answer.as_ref().map_or_else(StoreError::outcome, |_| Outcome::Success));
    answer
}

async fn run(
    context: &OperationContext,
    route: &Route,
    key: &FullKey<'_>,
    kind: &OperationKind<'_>,
    deadline: Deadline,
) -> Result<Answer, StoreError> {
    let shard = &route.shard;
    let command = command(key, kind);
    let call_timeout = CallTimeout { deadline, abandon: Abandon::AtDeadline };
    let connection_class = context.connection_class(route.hash, kind);
    let mut attempts = Attempts::default();
    loop {
        let node = shard.writer(&attempts, deadline).await?;
        let answer = match kind.replicas() {
            0 => node
                .call(&command, connection_class, call_timeout)
                .await
                .and_then(|value| Ok(parse_answer(kind, value, 0)?)),
            replicas => {
                let answer = Box::pin(node.call_and_wait(&command, replicas, deadline)).await;
                answer.and_then(|(value, replicas)| Ok(parse_answer(kind, value, replicas)?))
            }
        };
        match answer {
            Err(error) if redirect::applies_to(context, &error, shard, &node) => {
                let redirected = RedirectedOperation { key, command: &command, kind, connection_class, deadline };
                let rejection = Some(Rejection { node, error });
                return Box::pin(redirect::run(context, &redirected, rejection, |value, replicas| {
                    Ok(parse_answer(kind, value, replicas)?)
                }))
                .await;
            }
            Err(error) if error.did_not_run() => {
                node.request_probe();
                context.metrics.write_retries.count();
                attempts.record(&node, node.connections_opened(), error);
            }
            answer => return answer.map_err(|error| shard.write_failure(error)),
        }
    }
}
