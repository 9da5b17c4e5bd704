//! Changes that are in flight while a reload gives their keys to another shard, or takes their node from their shard.
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
        shard_map::{MapHandle, MapId, Route, ShardMap},
    },
    types::FullKey,
};
use std::sync::Arc;

/// Returns the current map if changes that ran by the map `ran_by` may have to run again: that map is not the current one,
/// or a node has left its shard. `ran_on` has the shards, and the nodes there that have made changes.
pub fn map_to_run_again<'s>(
    context: &OperationContext,
    ran_by: MapId,
    ran_on: impl IntoIterator<Item = (&'s Arc<Shard>, Option<NodeId>)>,
) -> Option<Arc<ShardMap>> {
    // In a Redis Cluster keys move together with their values.
    if context.cluster.is_some() { None } else { newer_map(&context.map, ran_by, ran_on) }
}

fn newer_map<'s>(
    map: &MapHandle,
    ran_by: MapId,
    ran_on: impl IntoIterator<Item = (&'s Arc<Shard>, Option<NodeId>)>,
) -> Option<Arc<ShardMap>> {
    let current = map.load();
    // The members of a shard change a moment before the map does.
    let is_other = current.id() != ran_by || ran_on.into_iter().any(|(shard, node)| has_left(shard, node));
    is_other.then(|| Arc::clone(&current))
}

/// Returns the route by which a change has to run again; `None` if its key still belongs to the shard that it ran on,
/// and the node that it was last sent to still belongs to that shard.
pub fn next_route(current: &ShardMap, key: &FullKey<'_>, ran_on: &Arc<Shard>, node: Option<NodeId>) -> Option<Route> {
    let route = current.route(key);
    let has_moved = !Arc::ptr_eq(route.shard.shared(), ran_on);
    (has_moved || has_left(ran_on, node)).then_some(route)
}

/// Returns true if a node does not belong to its shard any more.
fn has_left(shard: &Shard, node: Option<NodeId>) -> bool {
    node.is_some_and(|node| !shard.has_node(node))
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
pub fn may_have_run(answer: &Result<Answer, StoreError>) -> bool {
    matches!(answer, Ok(_) | Err(StoreError::Unconfirmed { .. } | StoreError::DeadlinePassed { .. }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        ring::{Ring, Weight},
        store::{
            change_signal::ChangeSignal,
            error::NodeError,
            node::{Node, NodeContext},
            shard_map::Routing,
        },
        types::Address,
    };

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
    fn a_change_runs_again_if_its_node_has_left_though_the_map_is_still_the_same() {
        let redis = Node::settings_for_tests();
        let [former, successor] = [1, 2].map(|port| Address { host: "127.0.0.1".to_owned(), port });
        let shard = Arc::new(Shard::new("a", &redis, &NodeContext::default(), &ChangeSignal::default()));
        shard.set_nodes(&[former, successor.clone()], &redis);
        let ring = Ring::new([("a", Weight::ONE)]);
        let map = MapHandle::new(ShardMap::new(Routing::Ring(ring), vec![Arc::clone(&shard)]));
        let (ran_by, node) = (map.load().id(), shard.members().nodes()[0].id);
        assert!(newer_map(&map, ran_by, [(&shard, Some(node))]).is_none());
        // A reload changes the members of each shard and publishes a map after that.
        shard.set_nodes(&[successor], &redis);
        assert!(newer_map(&map, ran_by, [(&shard, Some(node))]).is_some());
        assert!(newer_map(&map, ran_by, [(&shard, None)]).is_none(), "no node has made the change");
    }

    #[test]
    fn a_key_that_either_shard_deleted_existed() {
        let last = merged(&Ok(Answer::Deleted(true)), Ok(Answer::Deleted(false)));
        assert!(matches!(last, Ok(Answer::Deleted(true))));
    }
}
