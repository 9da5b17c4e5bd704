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
    Incumbent { node, replication_id, run_id: "", is_down: false }
}

/// Elects while the incumbent is not known to be down.
fn elect(node: usize, replication_id: &str, infos: Infos) -> usize {
    super::elect(incumbent(node, replication_id), infos)
}

/// Elects while the incumbent is down.
fn elect_without(node: usize, replication_id: &str, infos: Infos) -> usize {
    super::elect(Incumbent { is_down: true, ..incumbent(node, replication_id) }, infos)
}

/// Asserts that the incumbent, whose history is the known one, stays and that no other node may be the master instead.
#[track_caller]
fn expect_uncontested(node: usize, infos: Infos) {
    let known = infos[node].as_ref().map_or("", |info| &info.replication_id);
    assert_eq!(elect(node, known, infos), node);
    assert!(!is_contested(node, infos));
}

/// Asserts that the incumbent, whose history is the known one, stays and that nothing proves that it is the master.
#[track_caller]
fn expect_contested(node: usize, infos: Infos) {
    let known = infos[node].as_ref().map_or("", |info| &info.replication_id);
    assert_eq!(elect(node, known, infos), node);
    assert!(is_contested(node, infos));
}

#[test]
fn the_master_stays_until_another_node_proves_a_takeover() {
    expect_uncontested(0, &[master("a", ""), replica("a"), replica("a")]);
    assert_eq!(elect_without(0, "a", &[None, replica("a"), replica("a")]), 0);
    assert_eq!(elect_without(0, "", &[None, None]), 0);
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
fn an_instance_that_starts_after_a_failover_finds_the_promoted_node() {
    assert_eq!(elect(0, "fresh", &[master("fresh", ""), followed(master("b", "a"))]), 1);
    assert_eq!(elect(0, "fresh", &[master("fresh", ""), master("b", "a")]), 1);
    assert_eq!(elect(0, "fresh", &[master("fresh", "a"), followed(master("b", "a"))]), 1);
    assert_eq!(elect_without(0, "", &[None, master("b", "a")]), 1);
    assert_eq!(elect(0, "", &[None, followed(master("b", "a"))]), 1);
    // Both may have been promoted from the same history.
    expect_contested(0, &[master("fresh", "a"), at(9, master("b", "a"))]);
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
    assert!(!is_contested(0, &[twice(), twice()]));
    assert_eq!(elect(0, "b", &[twice(), twice()]), 0);
}

#[test]
fn a_name_that_leads_to_a_promoted_replica_now_has_lost_nothing() {
    assert!(lost(at(5, master("b", "a")), at(9, replica("a"))));
    assert!(!lost(at(5, seen_promoted(master("b", "a"))), at(9, replica("a"))));
}
