//! Changes that are in flight while a reload gives their keys to another shard.
//!
//! The change runs again on the new owner before it is acknowledged, because nobody can see it on the old one. In a
//! Redis Cluster slots move together with their values, so nothing has to run again.

use crate::{
    store::{
        error::{Access, StoreError},
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

/// Completes the answer to an operation that ran again by its first answer. The last answer counts, with two exceptions:
/// a key existed if either run deleted it, and a change is not reported as not made if the first run may have made it,
/// because an instance that has not reloaded yet sees that.
pub fn merge(access: Access, first: &Result<Answer, StoreError>, last: &mut Result<Answer, StoreError>) {
    match (first, &mut *last) {
        (Ok(Answer::Deleted(true)), Ok(Answer::Deleted(existed))) => *existed = true,
        (first, Err(error)) if access == Access::Write && may_have_run(first) => error.mark_unconfirmed(),
        _ => {}
    }
}

/// Returns true if a change with this answer was made, or may have been.
fn may_have_run(answer: &Result<Answer, StoreError>) -> bool {
    matches!(answer, Ok(_) | Err(StoreError::Unconfirmed { .. } | StoreError::DeadlinePassed { .. }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::error::NodeError;

    fn refused() -> Result<Answer, StoreError> {
        Err(StoreError::new(Access::Write, "new".into(), NodeError::NotConnected))
    }

    fn merged(first: &Result<Answer, StoreError>, mut last: Result<Answer, StoreError>) -> Result<Answer, StoreError> {
        merge(Access::Write, first, &mut last);
        last
    }

    #[test]
    fn a_change_that_only_the_former_shard_made_is_unconfirmed() {
        assert!(matches!(merged(&Ok(Answer::Stored { replicas: 0 }), refused()), Err(StoreError::Unconfirmed { .. })));
        for refused in
            [StoreError::MasterContested { shard: "new".into() }, StoreError::MasterHeld { shard: "new".into() }]
        {
            let answer = merged(&Ok(Answer::Stored { replicas: 0 }), Err(refused));
            assert!(matches!(answer, Err(StoreError::Unconfirmed { .. })));
        }
        let unconfirmed = Err(StoreError::new(Access::Write, "old".into(), NodeError::Lost));
        assert!(matches!(merged(&unconfirmed, refused()), Err(StoreError::Unconfirmed { .. })));
        assert!(matches!(merged(&refused(), refused()), Err(StoreError::Unavailable { .. })));
    }

    #[test]
    fn a_key_that_either_shard_deleted_existed() {
        let last = merged(&Ok(Answer::Deleted(true)), Ok(Answer::Deleted(false)));
        assert!(matches!(last, Ok(Answer::Deleted(true))));
    }
}
