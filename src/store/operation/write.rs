//! SET and UNLINK: on the master, once.

use crate::{
    store::{
        Answer, OperationKind, StoreCore, StoreError,
        error::WriteFailure,
        node::connection::{Abandon, CallTimeout},
        operation::{ChangeGuard, RedirectedOperation, Rejection},
        protocol::command::{command, parse_answer},
        shard::Attempts,
        shard_map::Route,
    },
    telemetry::{metrics::Outcome, traces},
    types::{Deadline, FullKey},
};
use std::pin::pin;
use tracing::Instrument;

/// Runs a change on the shard that the key is on.
pub async fn write(
    store: &StoreCore,
    key: &FullKey<'_>,
    kind: &OperationKind<'_>,
    deadline: Deadline,
) -> Result<Answer, StoreError> {
    store.wait_until_known(deadline).await;
    let route = store.map.load().route(key);
    let _noted = ChangeGuard { changes: &store.recent_changes, hash: route.hash };
    let name = if matches!(kind, OperationKind::Delete) { "delete" } else { "write" };
    let span = traces::shard(|| route.shard.name(), name, 1);
    let mut changing = pin!(change(store, &route, key, kind, deadline).instrument(span));
    let answer = changing.as_mut().await;
    traces::end_with(changing.span(), answer.as_ref().map_or_else(StoreError::outcome, |_| Outcome::Success));
    answer
}

async fn change(
    store: &StoreCore,
    route: &Route,
    key: &FullKey<'_>,
    kind: &OperationKind<'_>,
    deadline: Deadline,
) -> Result<Answer, StoreError> {
    let shard = &route.shard;
    let command = command(key, kind);
    let patience = CallTimeout { deadline, abandon: Abandon::AtDeadline };
    let lane = store.connection_class(route.hash, kind);
    let mut tried = Attempts::default();
    loop {
        let node = shard.writer(&tried, deadline).await?;
        let answer = match kind.replicas() {
            0 => node.call(&command, lane, patience).await.and_then(|value| parse_answer(kind, value, 0)),
            replicas => {
                let answer = Box::pin(node.call_and_wait(&command, replicas, deadline)).await;
                answer.and_then(|(value, had)| parse_answer(kind, value, had))
            }
        };
        match answer {
            Err(error) if store.should_redirect(&error, shard, &node) => {
                let errand = RedirectedOperation { key, command: &command, kind, lane, deadline };
                let read = |value, had| parse_answer(kind, value, had);
                return Box::pin(store.redirect(&errand, Some(Rejection { node, error }), read)).await;
            }
            Err(error) if error.did_not_run() => {
                node.request_probe();
                store.metrics.write_retries.count();
                tried.record(&node, node.connections_opened(), error);
            }
            answer => return answer.map_err(|error| shard.write_failure(WriteFailure(error))),
        }
    }
}
