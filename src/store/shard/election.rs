//! The election of the node that a shard's writes go to.
//!
//! Nodes are asked for their roles; a node that merely calls itself a master is not believed. Whoever promotes a replica,
//! be it an operator or a program, the shard follows.

use crate::store::node::replication::ReplicationInfo;

/// What is known of the node that writes go to, besides its standing.
#[derive(Clone, Copy)]
pub struct Incumbent<'a> {
    pub node: usize,
    /// The history that it was last known to write, empty if it was never seen.
    pub history: &'a str,
    /// It cannot be connected to.
    pub is_down: bool,
}

/// The node that writes go to: the incumbent, unless there is proof that another one took over.
///
/// A node whose standing is `None` is not reachable or does not tell. A node that merely calls itself a master proves
/// nothing: it may have been started alone, or again, and be empty or old.
pub fn elect(incumbent: Incumbent<'_>, standings: &[Option<ReplicationInfo>]) -> usize {
    let Incumbent { node: current, history, is_down } = incumbent;
    let known = |node: usize| standings.get(node).and_then(Option::as_ref);
    let others = || (0..standings.len()).filter(|node| *node != current).filter_map(|node| Some((node, known(node)?)));
    let find = |proves: &dyn Fn(&ReplicationInfo) -> bool| {
        others().find(|(_, other)| other.is_master() && proves(other)).map(|(node, _)| node)
    };
    let elected = match known(current) {
        Some(now) if now.is_master() => find(&|other| other.supersedes(now)),
        // Demoted: whom it follows is the master.
        Some(now) => find(&|other| other.replication_id == now.replication_id)
            .or_else(|| find(&|other| other.continues_history_of(history))),
        // Several promotions may have passed unseen; then those who follow tell.
        None => find(&|other| other.was_promoted() && other.is_confirmed_promotion()).or_else(|| {
            find(&|other| {
                is_down && (other.continues_history_of(history) || (history.is_empty() && other.was_promoted()))
            })
        }),
    };
    elected.unwrap_or(current)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::node::replication::ReplicationRole;

    #[expect(clippy::unnecessary_wraps, reason = "an election is among what is known and what is not")]
    fn with(role: ReplicationRole, history: &str, previous: &str) -> Option<ReplicationInfo> {
        let (history, previous) = (history.to_owned(), previous.to_owned());
        Some(ReplicationInfo {
            role,
            replication_id: history,
            previous_replication_id: previous,
            connected_replicas: 0,
            offset: 0,
            promotion_seen: false,
            loading: false,
        })
    }

    fn master(history: &str, previous: &str) -> Option<ReplicationInfo> {
        with(ReplicationRole::Master, history, previous)
    }

    fn replica(history: &str) -> Option<ReplicationInfo> {
        with(ReplicationRole::Replica { synced: true, down_for: None }, history, "")
    }

    fn followed(standing: Option<ReplicationInfo>) -> Option<ReplicationInfo> {
        standing.map(|standing| ReplicationInfo { connected_replicas: 1, ..standing })
    }

    fn seen(standing: Option<ReplicationInfo>) -> Option<ReplicationInfo> {
        standing.map(|standing| ReplicationInfo { promotion_seen: true, ..standing })
    }

    /// The election when nothing is known to be down.
    fn elect(node: usize, history: &str, standings: &[Option<ReplicationInfo>]) -> usize {
        super::elect(Incumbent { node, history, is_down: false }, standings)
    }

    fn elect_without(node: usize, history: &str, standings: &[Option<ReplicationInfo>]) -> usize {
        super::elect(Incumbent { node, history, is_down: true }, standings)
    }

    #[test]
    fn the_master_stays_while_nobody_proves_to_have_taken_over() {
        assert_eq!(elect(0, "a", &[master("a", ""), replica("a"), replica("a")]), 0);
        assert_eq!(elect_without(0, "a", &[None, replica("a"), replica("a")]), 0);
        assert_eq!(elect_without(0, "", &[None, None]), 0);
        // Somebody else's master is no successor while this one is followed.
        assert_eq!(elect(0, "a", &[followed(master("a", "")), master("x", "y"), replica("a")]), 0);
    }

    #[test]
    fn a_node_that_was_started_alone_is_never_elected() {
        assert_eq!(elect_without(0, "", &[None, master("x", ""), None]), 0);
        assert_eq!(elect_without(0, "a", &[None, master("x", ""), replica("a")]), 0);
        assert_eq!(elect(0, "a", &[master("a", ""), master("x", ""), replica("a")]), 0);
    }

    #[test]
    fn a_replica_that_was_started_again_as_a_master_is_not_taken_for_promoted() {
        // Its file says whose history it had, as a promoted one's would.
        assert_eq!(elect(0, "a", &[followed(master("a", "")), master("c", "a"), replica("a")]), 0);
        assert_eq!(elect(0, "a", &[master("a", ""), master("c", "a")]), 0);
        // While the master is merely out of touch, nor when it comes back later than the other.
        assert_eq!(elect(0, "a", &[None, master("c", "a"), replica("a")]), 0);
        assert_eq!(elect(1, "c", &[master("a", ""), master("c", "a")]), 0);
    }

    #[test]
    fn a_promoted_replica_is_followed() {
        // The old one died, was demoted, or does not know yet.
        assert_eq!(elect_without(0, "a", &[None, master("b", "a"), replica("a")]), 1);
        assert_eq!(elect(0, "a", &[None, seen(master("b", "a")), replica("a")]), 1);
        assert_eq!(elect(0, "a", &[replica("b"), master("b", "a"), replica("b")]), 1);
        assert_eq!(elect(0, "a", &[master("a", ""), seen(master("b", "a")), replica("a")]), 1);
        assert_eq!(elect(0, "a", &[master("a", ""), followed(master("b", "a")), replica("b")]), 1);
        // Promoted twice while nobody looked.
        assert_eq!(elect(0, "a", &[None, followed(master("c", "b")), replica("c")]), 1);
        assert_eq!(elect_without(0, "a", &[None, master("y", "x"), replica("a")]), 0);
    }

    #[test]
    fn the_old_master_that_comes_back_is_not_taken_back() {
        assert_eq!(elect(1, "b", &[master("fresh", ""), master("b", "a")]), 1);
        assert_eq!(elect(1, "b", &[master("a", ""), seen(master("b", "a"))]), 1);
        // From its file, so that its history seems to go on where the old one ended.
        assert_eq!(elect(1, "b", &[master("fresh", "a"), followed(master("b", "a"))]), 1);
        assert_eq!(elect(1, "b", &[master("a", ""), None]), 1);
        // Unless it was promoted again.
        assert_eq!(elect(1, "b", &[seen(master("c", "b")), replica("c")]), 0);
    }

    #[test]
    fn an_instance_that_starts_after_a_failover_finds_the_promoted_node() {
        assert_eq!(elect(0, "fresh", &[master("fresh", ""), followed(master("b", "a"))]), 1);
        assert_eq!(elect(0, "fresh", &[master("fresh", ""), master("b", "a")]), 1);
        assert_eq!(elect(0, "fresh", &[master("fresh", "a"), followed(master("b", "a"))]), 1);
        let further = master("b", "a").map(|standing| ReplicationInfo { offset: 9, ..standing });
        assert_eq!(elect(0, "fresh", &[master("fresh", "a"), further]), 1);
        assert_eq!(elect_without(0, "", &[None, master("b", "a")]), 1);
        assert_eq!(elect(0, "", &[None, followed(master("b", "a"))]), 1);
    }
}
