//! Changes that are in flight while a reload gives their keys to another shard.
//!
//! The change runs again on the new owner before it is acknowledged, because nobody can see it on the old one. In a
//! Redis Cluster slots move together with their values, so nothing has to run again.

use crate::{
    store::{
        error::StoreError,
        node::NodeId,
        operation::context::OperationContext,
        protocol::operation::Answer,
        shard::Shard,
        shard_map::{MapId, Route, ShardMap},
    },
    types::FullKey,
};
use std::sync::Arc;

/// Returns the current map if it is another one than that by which a change ran, and its keys may have moved without
/// their values.
pub fn newer_map(context: &OperationContext, ran_by: MapId) -> Option<Arc<ShardMap>> {
    let current = context.map.load();
    (current.id() != ran_by && context.cluster.is_none()).then(|| Arc::clone(&current))
}

/// Returns the route by which a change has to run again; `None` if its key still belongs to the shard that it ran on,
/// and the node that it was last sent to still belongs to that shard.
pub fn next_route(current: &ShardMap, key: &FullKey<'_>, ran_on: &Arc<Shard>, node: Option<NodeId>) -> Option<Route> {
    let route = current.route(key);
    let has_moved = !Arc::ptr_eq(&route.shard, ran_on);
    let has_left = node.is_some_and(|left| ran_on.members().nodes().iter().all(|node| node.id != left));
    (has_moved || has_left).then_some(route)
}

/// Returns the answer to an operation that ran twice. It is the last one, except that a key existed if either run
/// deleted it.
pub fn merge(first: &Result<Answer, StoreError>, last: Result<Answer, StoreError>) -> Result<Answer, StoreError> {
    match (first, last) {
        (Ok(Answer::Deleted(true)), Ok(Answer::Deleted(_))) => Ok(Answer::Deleted(true)),
        (_, last) => last,
    }
}
