//! SET and UNLINK: on the master, once.

use super::{
    Answer, Inner, Noted, OperationKind, StoreError,
    commands::{answer_to, command},
    error::WriteFailure,
    link::{GiveUp, Patience},
    map::Route,
    shard::Tried,
    warm_up::Moving,
};
use crate::types::{Deadline, FullKey};

/// Runs a change where the key is, and, while it moves, where it was.
pub async fn write(
    store: &Inner,
    key: &FullKey<'_>,
    kind: &OperationKind<'_>,
    deadline: Deadline,
) -> Result<Answer, StoreError> {
    let (now, before) = store.map.load().routes(key);
    let _noted = Noted { changes: &store.changes, hash: now.hash };
    match before {
        None => run(store, &now, key, kind, deadline).await,
        Some(before) => Box::pin(Moving { store, key, now, before, deadline }.change(kind)).await,
    }
}

/// Runs a change on one shard.
pub async fn run(
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
            Err(error) if error.did_not_run() => {
                node.doubt();
                tried.note(&node, node.connection(), error);
            }
            answer => return answer.map_err(|error| shard.write_failure(WriteFailure(error))),
        }
    }
}
