//! Tests of the rules of an election.

use super::*;
use crate::store::node::replication::ReplicationRole;

type Infos<'a> = &'a [Option<ReplicationInfo>];

#[expect(clippy::unnecessary_wraps, reason = "an election takes known and unknown nodes")]
fn with(role: ReplicationRole, id: &str, previous: &str) -> Option<ReplicationInfo> {
    Some(ReplicationInfo::reported(role, id, previous))
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

fn seen_restarted(info: Option<ReplicationInfo>) -> Option<ReplicationInfo> {
    info.map(|info| ReplicationInfo { restart_seen: true, ..info })
}

fn at(offset: u64, info: Option<ReplicationInfo>) -> Option<ReplicationInfo> {
    info.map(|info| ReplicationInfo { offset, ..info })
}

fn lost(now: Option<ReplicationInfo>, other: Option<ReplicationInfo>) -> bool {
    incumbent(0, "a").has_lost_data(&[now, other])
}

fn in_process(run_id: &str, info: Option<ReplicationInfo>) -> Option<ReplicationInfo> {
    info.map(|info| ReplicationInfo { run_id: run_id.to_owned(), ..info })
}

fn incumbent(node: usize, replication_id: &str) -> Incumbent<'_> {
    Incumbent {
        node,
        replication_id,
        previous_id: "",
        run_id: "",
        is_down: false,
        follows: None,
        is_established: true,
        rivals: &[],
        is_unproven: false,
        former: &[],
    }
}

/// The first master of an instance that has just started.
fn first_master(replication_id: &str) -> Incumbent<'_> {
    Incumbent { is_established: false, ..incumbent(0, replication_id) }
}

/// Elects while the incumbent is not known to be down.
fn elect(node: usize, replication_id: &str, infos: Infos) -> usize {
    incumbent(node, replication_id).elect(infos)
}

/// Elects while the incumbent is down.
fn elect_without(node: usize, replication_id: &str, infos: Infos) -> usize {
    Incumbent { is_down: true, ..incumbent(node, replication_id) }.elect(infos)
}

/// Asserts that the incumbent, whose history is the known one, stays and that no other node may be the master instead.
#[track_caller]
fn expect_uncontested(node: usize, infos: Infos) {
    let known = infos[node].as_ref().map_or("", |info| &info.replication_id);
    let incumbent = incumbent(node, known);
    assert_eq!((incumbent.elect(infos), incumbent.rivals(node, infos)), (node, Vec::new()));
}

/// Asserts that the incumbent, whose history is the known one, stays and that nothing proves that it is the master.
#[track_caller]
fn expect_contested(node: usize, infos: Infos) {
    let known = infos[node].as_ref().map_or("", |info| &info.replication_id);
    let incumbent = incumbent(node, known);
    assert_eq!(incumbent.elect(infos), node);
    assert!(!incumbent.rivals(node, infos).is_empty());
}

#[test]
fn the_master_stays_until_another_node_proves_a_takeover() {
    expect_uncontested(0, &[master("a", ""), replica("a"), replica("a")]);
    assert_eq!(elect_without(0, "a", &[None, replica("a"), replica("a")]), 0);
    assert_eq!(elect_without(0, "", &[None, None]), 0);
}

#[test]
fn a_demoted_master_names_its_successor_by_address_before_it_has_its_data() {
    let demoted = |follows| Incumbent { follows: Some(follows), ..incumbent(0, "a") };
    let infos = [replica("a"), replica("b"), master("b", "")];
    assert_eq!(demoted(2).elect(&infos), 2);
    // A node that is no master yet is not written to.
    assert_eq!(demoted(1).elect(&infos), 0);
    // A history that the demoted one has received counts more.
    assert_eq!(demoted(2).elect(&[replica("c"), master("c", "a"), master("b", "")]), 1);
}

#[test]
fn the_master_of_another_group_is_no_rival() {
    expect_uncontested(0, &[followed(master("a", "")), master("x", "y"), replica("a")]);
    expect_uncontested(0, &[followed(master("a", "")), followed(master("x", "y")), replica("a")]);
    // Neither is it used while the master is not reachable and replicas of the known history are.
    assert_eq!(elect(0, "a", &[None, followed(master("x", "y")), replica("a")]), 0);
    assert_eq!(elect_without(0, "a", &[None, followed(master("x", "y")), replica("a")]), 0);
    assert_eq!(elect_without(0, "a", &[None, seen_promoted(master("x", "y")), replica("a")]), 0);
}

#[test]
fn a_node_that_was_started_alone_is_never_elected() {
    assert_eq!(elect_without(0, "", &[None, master("x", ""), None]), 0);
    assert_eq!(elect_without(0, "a", &[None, master("x", ""), replica("a")]), 0);
    expect_uncontested(0, &[master("a", ""), master("x", ""), replica("a")]);
}

#[test]
fn a_replica_that_was_restarted_as_a_master_does_not_count_as_promoted() {
    // Its file has the previous replication id, as that of a promoted node would.
    let restarted = seen_restarted(master("c", "a"));
    expect_uncontested(0, &[followed(master("a", "")), restarted.clone(), replica("a")]);
    // Its own replicas follow it all the same.
    expect_uncontested(0, &[master("a", ""), followed(restarted.clone()), replica("c")]);
    // Neither while the master is unreachable.
    assert_eq!(elect(0, "a", &[None, followed(restarted.clone()), replica("c")]), 0);
    assert_eq!(elect_without(0, "a", &[None, restarted.clone(), replica("a")]), 0);
    // The known master follows it now, so it is the master.
    assert_eq!(elect(0, "a", &[replica("c"), restarted]), 1);
}

#[test]
fn a_node_that_may_have_been_promoted_or_restarted_unseen_contests_the_master() {
    expect_contested(0, &[master("a", ""), master("c", "a")]);
    expect_contested(0, &[master("a", ""), followed(master("c", "a")), replica("c")]);
    expect_contested(0, &[followed(master("a", "")), followed(master("c", "a")), replica("a")]);
    // The other way round, if that node was found first.
    expect_contested(1, &[master("a", ""), master("c", "a")]);
    assert_eq!(elect(0, "a", &[None, master("c", "a"), replica("a")]), 0);
    // The other node was promoted from this one, which was itself seen to be promoted.
    expect_contested(0, &[seen_promoted(master("b", "a")), master("c", "b")]);
}

#[test]
fn a_promoted_replica_is_followed() {
    // The old master died, was demoted, or does not know yet.
    assert_eq!(elect_without(0, "a", &[None, master("b", "a"), replica("a")]), 1);
    assert_eq!(elect(0, "a", &[None, seen_promoted(master("b", "a")), replica("a")]), 1);
    assert_eq!(elect(0, "a", &[replica("b"), master("b", "a"), replica("b")]), 1);
    assert_eq!(elect(0, "a", &[replica("a"), master("b", "a"), replica("b")]), 1);
    assert_eq!(elect(0, "a", &[master("a", ""), seen_promoted(master("b", "a")), replica("a")]), 1);
    // Promoted twice between two probes.
    assert_eq!(elect(0, "a", &[None, followed(master("c", "b")), replica("c")]), 1);
    assert_eq!(elect_without(0, "a", &[None, master("y", "x"), replica("a")]), 0);
}

#[test]
fn an_old_master_that_comes_back_neither_is_elected_again_nor_contests() {
    let promoted = seen_promoted(master("b", "a"));
    expect_uncontested(1, &[master("fresh", ""), promoted.clone()]);
    expect_uncontested(1, &[master("a", ""), promoted.clone()]);
    // From its file, so that it seems to continue the old replication history.
    expect_uncontested(1, &[master("fresh", "a"), promoted.clone()]);
    expect_uncontested(1, &[master("fresh", "a"), followed(master("b", "a"))]);
    expect_uncontested(1, &[seen_restarted(master("fresh", "a")), master("b", "a")]);
    assert_eq!(elect(1, "b", &[master("a", ""), None]), 1);
    // Another promotion does elect it.
    assert_eq!(elect(1, "b", &[seen_promoted(master("c", "b")), replica("c")]), 0);
    assert_eq!(elect(1, "b", &[seen_promoted(master("c", "b")), promoted]), 0);
}

#[test]
fn a_former_master_that_lives_on_does_not_take_the_place_of_a_promoted_replica() {
    // Its own promotion was seen, and it comes first in the list.
    let former = seen_promoted(master("a", "before a"));
    for promoted in [master("c", "b"), seen_promoted(master("c", "b")), followed(master("c", "b"))] {
        for is_down in [true, false] {
            let incumbent = Incumbent { is_down, previous_id: "a", ..incumbent(0, "b") };
            let elected = incumbent.elect(&[None, former.clone(), promoted.clone()]);
            let is_proven = is_down || promoted.as_ref().is_some_and(|info| info.promotion_seen || info.is_followed());
            assert_eq!(elected, if is_proven { 2 } else { 0 }, "{promoted:?}, down: {is_down}");
        }
    }
    // It stays out while the known history is there, even if nobody knows that it was deposed.
    let successor = Incumbent { is_down: true, previous_id: "a", ..incumbent(0, "b") };
    assert_eq!(successor.elect(&[None, former.clone(), replica("b")]), 0);
    assert_eq!(successor.elect(&[None, former, None]), 1);
}

#[test]
fn a_former_master_is_not_elected_although_nothing_else_is_left() {
    let histories = ["a".to_owned()];
    let successor = Incumbent { is_down: true, former: &histories, ..incumbent(0, "b") };
    assert_eq!(successor.elect(&[None, seen_promoted(master("a", "b")), None]), 0);
    for former in [seen_promoted(master("a", "before a")), followed(master("a", "before a"))] {
        assert_eq!(successor.elect(&[None, former.clone(), None]), 0);
        // The replica that its successor never reached is promoted.
        assert_eq!(successor.elect(&[None, former.clone(), seen_promoted(master("c", "a"))]), 2);
        // It was promoted again, and another node follows it.
        assert_eq!(successor.elect(&[None, followed(master("again", "a")), replica("again")]), 1);
        // Its successor was demoted, and follows it.
        assert_eq!(successor.elect(&[replica("a"), former, None]), 1);
    }
    // Its successor was restarted without its data.
    let restarted = Incumbent { previous_id: "c", former: &histories, ..incumbent(0, "b") };
    let nodes = [master("fresh", ""), master("a", "c"), replica("c")];
    assert!(restarted.has_lost_data(&nodes));
    assert_eq!(restarted.elect(&nodes), 0);
}

#[test]
fn an_instance_that_starts_after_a_failover_finds_the_promoted_node() {
    let fresh = first_master("fresh");
    assert_eq!(fresh.elect(&[master("fresh", ""), seen_promoted(master("b", "a"))]), 1);
    // The replicas of the shard follow it.
    assert_eq!(fresh.elect(&[master("fresh", ""), followed(master("b", "a")), replica("b")]), 1);
    for incumbent in [fresh, incumbent(0, "fresh")] {
        // The old master came back from its file.
        assert_eq!(incumbent.elect(&[master("fresh", "a"), seen_promoted(master("b", "a"))]), 1);
    }
    assert_eq!(elect_without(0, "", &[None, master("b", "a")]), 1);
    assert_eq!(elect(0, "", &[None, followed(master("b", "a"))]), 1);
    // Both may have been promoted from the same history.
    expect_contested(0, &[master("fresh", "a"), at(9, master("b", "a"))]);
    expect_contested(0, &[master("fresh", "a"), followed(master("b", "a"))]);
}

#[test]
fn an_instance_that_starts_with_unrelated_masters_believes_none_of_them_without_proof() {
    let fresh = first_master("fresh");
    // Either the first node is an old master that came back empty, or the second one does not belong to the shard.
    for stranger in [master("x", "y"), followed(master("x", "y"))] {
        let nodes = [master("fresh", ""), stranger];
        assert_eq!((fresh.elect(&nodes), fresh.rivals(0, &nodes)), (0, vec!["x".to_owned()]));
    }
    // The replicas of the shard follow the first node, or the other one was only started.
    for (first, other) in [
        (followed(master("fresh", "")), followed(seen_promoted(master("x", "y")))),
        (master("fresh", ""), master("x", "")),
        (master("fresh", ""), seen_restarted(master("x", "y"))),
    ] {
        let nodes = [first, other];
        assert_eq!((fresh.elect(&nodes), fresh.rivals(0, &nodes)), (0, Vec::new()));
    }
}

#[test]
fn an_unrelated_master_takes_nothing_over_from_one_that_is_established() {
    for stranger in [master("x", "y"), followed(master("x", "y")), followed(seen_promoted(master("x", "y")))] {
        expect_uncontested(0, &[master("a", ""), stranger.clone()]);
        expect_uncontested(0, &[master("a", ""), stranger.clone(), replica("x")]);
        // The master was restarted from its file.
        let (known, nodes) = (incumbent(0, "a"), [master("fresh", "a"), stranger.clone()]);
        assert_eq!((known.elect(&nodes), known.rivals(0, &nodes)), (0, Vec::new()));
        // It was restarted empty: it may be the wrong one.
        let nodes = [master("fresh", ""), stranger];
        assert!(known.elect(&nodes) == 1 || !known.rivals(0, &nodes).is_empty());
    }
}

#[test]
fn the_other_one_of_two_masters_is_elected_when_one_is_stopped() {
    let rivals = ["old".to_owned()];
    let contested = Incumbent { rivals: &rivals, ..incumbent(0, "new") };
    let nodes = [None, master("old", ""), master("x", "")];
    assert_eq!(contested.elect(&nodes), 0, "it may only be cut off for a moment");
    assert_eq!(Incumbent { is_down: true, ..contested }.elect(&nodes), 1);
    assert_eq!(Incumbent { is_down: true, rivals: &[], ..contested }.elect(&nodes), 0);
}

#[test]
fn a_master_that_comes_back_without_data_has_lost_it_while_others_have_it() {
    // Empty, or from an old file.
    assert!(lost(master("fresh", ""), replica("a")));
    assert!(lost(seen_restarted(at(5, master("fresh", "a"))), at(6, replica("a"))));
    // From a complete file; or nobody has the data any more.
    assert!(!lost(seen_restarted(at(6, master("fresh", "a"))), at(6, replica("a"))));
    assert!(!lost(master("fresh", ""), replica("fresh")));
    assert!(!lost(master("fresh", ""), with(ReplicationRole::Replica { synced: false, down_for: None }, "a", "")));
    assert!(!lost(master("a", ""), at(6, replica("a"))));
    assert!(!lost(None, replica("a")));
    assert!(!incumbent(0, "").has_lost_data(&[master("fresh", ""), replica("a")]));
}

#[test]
fn a_replica_that_a_promoted_master_never_reached_has_the_data_of_its_promotion() {
    let promoted = Incumbent { previous_id: "a", ..incumbent(0, "b") };
    let unsynced = with(ReplicationRole::Replica { synced: false, down_for: None }, "a", "");
    for left_behind in [replica("a"), unsynced] {
        assert!(promoted.has_lost_data(&[master("fresh", ""), at(5, left_behind.clone())]));
        // From a file that has all data of the promotion, or less.
        assert!(!promoted.has_lost_data(&[at(4, master("fresh", "b")), at(5, left_behind.clone())]));
        assert!(promoted.has_lost_data(&[at(4, master("fresh", "a")), at(5, left_behind)]));
    }
    assert!(!promoted.has_lost_data(&[master("fresh", ""), replica("x")]));
    // It can be promoted in place of the master that lost its data.
    assert_eq!(promoted.elect(&[master("fresh", ""), master("c", "a"), replica("a")]), 1);
}

#[test]
fn a_process_that_gives_its_history_another_name_has_lost_nothing() {
    let incumbent = Incumbent { run_id: "p", ..incumbent(0, "a") };
    assert!(!incumbent.has_lost_data(&[in_process("p", master("later", "")), at(6, replica("a"))]));
    // It followed another master in between.
    assert!(incumbent.has_lost_data(&[in_process("p", master("later", "x")), at(6, replica("a"))]));
}

#[test]
fn a_replica_that_is_promoted_in_place_of_a_master_without_data_is_followed() {
    for promoted in [master("b", "a"), seen_promoted(at(9, master("b", "a")))] {
        assert_eq!(elect(0, "a", &[master("fresh", ""), promoted.clone()]), 1);
        assert_eq!(elect(0, "a", &[followed(master("fresh", "")), promoted.clone(), replica("fresh")]), 1);
        assert_eq!(elect(0, "a", &[at(5, master("fresh", "a")), promoted, at(6, replica("a"))]), 1);
    }
    // A restart is no promotion, and another group's master has other data.
    assert_eq!(elect(0, "a", &[master("fresh", ""), seen_restarted(master("c", "a")), replica("a")]), 0);
    assert_eq!(elect(0, "a", &[master("fresh", ""), followed(master("x", "y")), replica("a")]), 0);
}

#[test]
fn one_process_under_two_names_contests_nothing() {
    let twice = || followed(at(5, master("b", "a")));
    expect_uncontested(0, &[twice(), twice()]);
}

#[test]
fn a_name_that_leads_to_a_promoted_replica_now_has_lost_nothing() {
    assert!(lost(at(5, master("b", "a")), at(9, replica("a"))));
    assert!(!lost(at(5, seen_promoted(master("b", "a"))), at(9, replica("a"))));
}
