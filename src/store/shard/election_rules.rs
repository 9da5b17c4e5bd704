//! The election of the node that a shard's writes go to.
//!
//! Nodes report their roles; a node that merely calls itself a master is not believed. The shard follows every promotion,
//! by an operator or by a program.

use crate::store::node::replication::ReplicationInfo;

/// The node that writes go to now.
#[derive(Clone, Copy)]
pub struct Incumbent<'a> {
    /// The position of the node.
    pub node: usize,
    /// The replication id that the node had when it was last known as master; empty if it never was.
    pub replication_id: &'a str,
    /// The node is not reachable.
    pub is_down: bool,
}

/// Returns the position of the node that writes go to: the incumbent, unless there is proof that another node took over.
///
/// A node whose info is `None` is not reachable or does not report its role. A node that merely calls itself a master
/// proves nothing: it may have been started alone, or again, and be empty or old.
pub fn elect(incumbent: Incumbent<'_>, infos: &[Option<ReplicationInfo>]) -> usize {
    let Incumbent { node, replication_id, is_down } = incumbent;
    let elected = match &infos[node] {
        Some(now) if now.is_master() => find(node, infos, |other| other.supersedes(now)),
        // The incumbent was demoted: the node that it follows is the master.
        Some(now) => find(node, infos, |other| other.replication_id == now.replication_id)
            .or_else(|| find(node, infos, |other| other.continues_history_of(replication_id))),
        // Several promotions may have passed unseen; then the replicas that follow a node are the proof.
        None => find(node, infos, |other| other.was_promoted() && other.is_confirmed_promotion()).or_else(|| {
            find(node, infos, |other| {
                is_down
                    && (other.continues_history_of(replication_id)
                        || (replication_id.is_empty() && other.was_promoted()))
            })
        }),
    };
    elected.unwrap_or(node)
}

/// Returns the first master besides the incumbent that meets the condition.
fn find(
    incumbent: usize,
    infos: &[Option<ReplicationInfo>],
    proves: impl Fn(&ReplicationInfo) -> bool,
) -> Option<usize> {
    infos.iter().enumerate().position(|(node, info)| {
        node != incumbent && info.as_ref().is_some_and(|other| other.is_master() && proves(other))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::node::replication::ReplicationRole;

    #[expect(clippy::unnecessary_wraps, reason = "an election takes known and unknown nodes")]
    fn with(role: ReplicationRole, id: &str, previous: &str) -> Option<ReplicationInfo> {
        Some(ReplicationInfo {
            role,
            replication_id: id.to_owned(),
            previous_replication_id: previous.to_owned(),
            connected_replicas: 0,
            offset: 0,
            promotion_seen: false,
            flushes: 0,
            loading: false,
        })
    }

    fn master(id: &str, previous: &str) -> Option<ReplicationInfo> {
        with(ReplicationRole::Master, id, previous)
    }

    fn replica(id: &str) -> Option<ReplicationInfo> {
        with(ReplicationRole::Replica { synced: true, down_for: None }, id, "")
    }

    fn followed(info: Option<ReplicationInfo>) -> Option<ReplicationInfo> {
        info.map(|info| ReplicationInfo { connected_replicas: 1, ..info })
    }

    fn seen_promoted(info: Option<ReplicationInfo>) -> Option<ReplicationInfo> {
        info.map(|info| ReplicationInfo { promotion_seen: true, ..info })
    }

    /// Elects while the incumbent is not known to be down.
    fn elect(node: usize, replication_id: &str, infos: &[Option<ReplicationInfo>]) -> usize {
        super::elect(Incumbent { node, replication_id, is_down: false }, infos)
    }

    /// Elects while the incumbent is down.
    fn elect_without(node: usize, replication_id: &str, infos: &[Option<ReplicationInfo>]) -> usize {
        super::elect(Incumbent { node, replication_id, is_down: true }, infos)
    }

    #[test]
    fn the_master_stays_until_another_node_proves_a_takeover() {
        assert_eq!(elect(0, "a", &[master("a", ""), replica("a"), replica("a")]), 0);
        assert_eq!(elect_without(0, "a", &[None, replica("a"), replica("a")]), 0);
        assert_eq!(elect_without(0, "", &[None, None]), 0);
        // The master of another group is no successor while replicas follow this one.
        assert_eq!(elect(0, "a", &[followed(master("a", "")), master("x", "y"), replica("a")]), 0);
    }

    #[test]
    fn a_node_that_was_started_alone_is_never_elected() {
        assert_eq!(elect_without(0, "", &[None, master("x", ""), None]), 0);
        assert_eq!(elect_without(0, "a", &[None, master("x", ""), replica("a")]), 0);
        assert_eq!(elect(0, "a", &[master("a", ""), master("x", ""), replica("a")]), 0);
    }

    #[test]
    fn a_replica_that_was_restarted_as_a_master_does_not_count_as_promoted() {
        // Its file has the previous replication id, as that of a promoted node would.
        assert_eq!(elect(0, "a", &[followed(master("a", "")), master("c", "a"), replica("a")]), 0);
        assert_eq!(elect(0, "a", &[master("a", ""), master("c", "a")]), 0);
        // Neither while the master is merely unreachable, nor when it comes back later than the other node.
        assert_eq!(elect(0, "a", &[None, master("c", "a"), replica("a")]), 0);
        assert_eq!(elect(1, "c", &[master("a", ""), master("c", "a")]), 0);
    }

    #[test]
    fn a_promoted_replica_is_followed() {
        // The old master died, was demoted, or does not know yet.
        assert_eq!(elect_without(0, "a", &[None, master("b", "a"), replica("a")]), 1);
        assert_eq!(elect(0, "a", &[None, seen_promoted(master("b", "a")), replica("a")]), 1);
        assert_eq!(elect(0, "a", &[replica("b"), master("b", "a"), replica("b")]), 1);
        assert_eq!(elect(0, "a", &[master("a", ""), seen_promoted(master("b", "a")), replica("a")]), 1);
        assert_eq!(elect(0, "a", &[master("a", ""), followed(master("b", "a")), replica("b")]), 1);
        // Promoted twice between two probes.
        assert_eq!(elect(0, "a", &[None, followed(master("c", "b")), replica("c")]), 1);
        assert_eq!(elect_without(0, "a", &[None, master("y", "x"), replica("a")]), 0);
    }

    #[test]
    fn an_old_master_that_comes_back_is_not_elected_again() {
        assert_eq!(elect(1, "b", &[master("fresh", ""), master("b", "a")]), 1);
        assert_eq!(elect(1, "b", &[master("a", ""), seen_promoted(master("b", "a"))]), 1);
        // From its file, so that it seems to continue the old replication history.
        assert_eq!(elect(1, "b", &[master("fresh", "a"), followed(master("b", "a"))]), 1);
        assert_eq!(elect(1, "b", &[master("a", ""), None]), 1);
        // Another promotion does elect it.
        assert_eq!(elect(1, "b", &[seen_promoted(master("c", "b")), replica("c")]), 0);
    }

    #[test]
    fn an_instance_that_starts_after_a_failover_finds_the_promoted_node() {
        assert_eq!(elect(0, "fresh", &[master("fresh", ""), followed(master("b", "a"))]), 1);
        assert_eq!(elect(0, "fresh", &[master("fresh", ""), master("b", "a")]), 1);
        assert_eq!(elect(0, "fresh", &[master("fresh", "a"), followed(master("b", "a"))]), 1);
        let further = master("b", "a").map(|info| ReplicationInfo { offset: 9, ..info });
        assert_eq!(elect(0, "fresh", &[master("fresh", "a"), further]), 1);
        assert_eq!(elect_without(0, "", &[None, master("b", "a")]), 1);
        assert_eq!(elect(0, "", &[None, followed(master("b", "a"))]), 1);
    }
}
