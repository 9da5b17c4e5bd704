//! SET and UNLINK: on the master, once.

use crate::{
    store::{
        Answer, Inner, OperationKind, StoreError,
        error::WriteFailure,
        node::connection::{GiveUp, Patience},
        operation::{Errand, Noted, Refused},
        protocol::command::{answer_to, command},
        shard::Tried,
        shard_map::Route,
    },
    telemetry::{metrics::Outcome, traces},
    types::{Deadline, FullKey},
};
use std::pin::pin;
use tracing::Instrument;

/// Runs a change on the shard that the key is on.
pub async fn write(
    store: &Inner,
    key: &FullKey<'_>,
    kind: &OperationKind<'_>,
    deadline: Deadline,
) -> Result<Answer, StoreError> {
    store.settle(deadline).await;
    let route = store.map.load().route(key);
    let _noted = Noted { changes: &store.changes, hash: route.hash };
    let name = if matches!(kind, OperationKind::Delete) { "delete" } else { "write" };
    let span = traces::shard(|| route.shard.name(), name, 1);
    let mut changing = pin!(change(store, &route, key, kind, deadline).instrument(span));
    let answer = changing.as_mut().await;
    traces::end_with(changing.span(), answer.as_ref().map_or_else(StoreError::outcome, |_| Outcome::Success));
    answer
}

async fn change(
    store: &Inner,
    route: &Route,
    key: &FullKey<'_>,
    kind: &OperationKind<'_>,
    deadline: Deadline,
) -> Result<Answer, StoreError> {
    let shard = &route.shard;
    let command = command(key, kind);
    let patience = Patience { deadline, give_up: GiveUp::AtDeadline };
    let lane = store.lane(route.hash, kind);
    let mut tried = Tried::default();
    loop {
        let node = shard.writer(&tried, deadline).await?;
        let answer = match kind.replicas() {
            0 => node.ask(&command, lane, patience).await.and_then(|value| answer_to(kind, value, 0)),
            replicas => {
                let answer = Box::pin(node.ask_durably(&command, replicas, deadline)).await;
                answer.and_then(|(value, had)| answer_to(kind, value, had))
            }
        };
        match answer {
            Err(error) if store.follows(&error, shard, &node) => {
                let errand = Errand { key, command: &command, kind, lane, deadline };
                let read = |value, had| answer_to(kind, value, had);
                return Box::pin(store.follow(&errand, Some(Refused { node, error }), read)).await;
            }
            Err(error) if error.did_not_run() => {
                node.doubt();
                store.metrics.write_retries.count();
                tried.note(&node, node.connection(), error);
            }
            answer => return answer.map_err(|error| shard.write_failure(WriteFailure(error))),
        }
    }
}
