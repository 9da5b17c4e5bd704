//! Tests of the state of a node.

use super::*;
use crate::store::node::state_cell::StateCell;

const MASTER: ReplicationRole = ReplicationRole::Master;
const REPLICA: ReplicationRole = ReplicationRole::Replica { synced: true, down_for: None };
const UNSYNCED: ReplicationRole = ReplicationRole::Replica { synced: false, down_for: Some(Duration::ZERO) };
const UP: Connectivity = Connectivity { up: true, connecting: false };
const DOWN: Connectivity = Connectivity { up: false, connecting: false };

fn at(ms: u64) -> LogicalTime {
    LogicalTime::from_ms(ms)
}

fn answer(role: ReplicationRole, offset: u64) -> ReplicationInfo {
    ReplicationInfo { offset, ..ReplicationInfo::reported(role, "a", "") }
}

fn cut_off(secs: u64) -> ReplicationRole {
    ReplicationRole::Replica { synced: true, down_for: Some(Duration::from_secs(secs)) }
}

fn sees_promotion(state: &NodeState) -> bool {
    state.replication_info().is_some_and(|info| info.promotion_seen)
}

/// The state of a connected node that may be 60 s without its master, after an election.
fn connected(answered: Option<ReplicationInfo>) -> NodeState {
    let mut state = NodeState::new(UP, Some(Duration::from_secs(60)));
    state.record_answer(answered, at(1), &ReplicationProgress::default());
    elected(&mut state, true, &ReplicationProgress::default());
    state
}

/// Holds an election with the last answer of the node.
fn elected(state: &mut NodeState, is_of_shard: bool, progress: &ReplicationProgress) {
    if let Some(info) = state.replication_info().cloned() {
        let lineage = if is_of_shard { Lineage::Proven } else { Lineage::Unknown };
        state.record_election(&info, lineage, progress);
    }
}

fn in_process(run_id: &str, info: ReplicationInfo) -> ReplicationInfo {
    ReplicationInfo { run_id: run_id.to_owned(), ..info }
}

#[test]
fn a_node_that_does_not_tell_its_role_may_answer_reads_as_master_only() {
    let mut state = connected(None);
    assert!(!state.is_readable_replica() && !state.is_usable_replica() && state.hides_role());
    assert!(state.is_readable_master() && state.may_be_master());
    assert_eq!(state.replication_info(), None);
    // It is reported once.
    let progress = ReplicationProgress::default();
    assert!(!state.record_answer(None, at(2), &progress).role_hidden);
    assert!(!state.record_answer(Some(answer(REPLICA, 0)), at(3), &progress).role_hidden);
    assert!(!state.is_readable_replica(), "no election has looked at it");
    elected(&mut state, true, &progress);
    assert!(state.is_readable_replica() && !state.hides_role());
    assert!(state.record_answer(None, at(4), &progress).role_hidden);
}

#[test]
fn a_master_answers_reads_as_master_only() {
    let state = connected(Some(answer(MASTER, 0)));
    assert!(state.is_readable_master() && state.may_be_master());
    assert!(!state.is_readable_replica() && !state.is_usable_replica());
}

#[test]
fn a_replica_without_its_master_is_usable_until_it_is_stale() {
    let fresh = connected(Some(answer(REPLICA, 0)));
    assert!(fresh.is_readable_replica() && fresh.is_usable_replica() && !fresh.may_be_master());
    let cut = connected(Some(answer(cut_off(60), 0)));
    assert!(!cut.is_readable_replica() && cut.is_usable_replica());
    let stale = connected(Some(answer(cut_off(61), 0)));
    assert!(!stale.is_usable_replica() && stale.is_readable_master());
}

#[test]
fn a_node_without_its_data_answers_no_reads() {
    let loading = ReplicationInfo { loading: true, ..answer(REPLICA, 0) };
    for answered in [answer(UNSYNCED, 0), loading] {
        let state = connected(Some(answered));
        assert!(!state.is_readable_replica() && !state.is_usable_replica() && !state.is_readable_master());
    }
}

#[test]
fn a_node_that_is_not_connected_answers_nothing() {
    let mut state = connected(Some(answer(REPLICA, 0)));
    state.set_connectivity(DOWN);
    assert!(!state.is_readable_replica() && !state.is_usable_replica() && !state.is_readable_master());
    assert_eq!(state.replication_info(), None);
}

#[test]
fn a_replica_of_another_master_is_not_read() {
    let mut state = connected(Some(answer(REPLICA, 0)));
    elected(&mut state, false, &ReplicationProgress::default());
    assert!(!state.is_readable_replica() && !state.is_usable_replica());
    assert!(!state.is_readable_master(), "it may be the former master of its shard");
}

#[test]
fn an_answer_to_an_older_question_is_ignored() {
    let progress = ReplicationProgress::default();
    let mut state = connected(None);
    assert!(state.record_answer(Some(answer(REPLICA, 5)), at(9), &progress).role_changed);
    let before = state.clone();
    assert_eq!(state.record_answer(Some(answer(MASTER, 6)), at(8), &progress), AnswerEffect::default());
    assert_eq!(state, before);
    assert!(state.record_answer(Some(answer(MASTER, 6)), at(9), &progress).role_changed);
}

#[test]
fn the_same_answer_again_changes_nothing() {
    let progress = ReplicationProgress::default();
    let mut state = connected(Some(answer(REPLICA, 5)));
    assert_eq!(state.record_answer(Some(answer(REPLICA, 5)), at(2), &progress), AnswerEffect::default());
    let moved_on = AnswerEffect { changed: true, ..AnswerEffect::default() };
    assert_eq!(state.record_answer(Some(answer(REPLICA, 6)), at(3), &progress), moved_on);
    // A replica that goes on being without its master has no other role.
    assert!(state.record_answer(Some(answer(cut_off(1), 6)), at(4), &progress).role_changed);
    assert!(!state.record_answer(Some(answer(cut_off(2), 6)), at(5), &progress).role_changed);
}

#[test]
fn a_replica_has_replicated_up_to_the_time_that_its_offset_covers() {
    let progress = ReplicationProgress::default();
    progress.record_master_offset("a", at(10), 100);
    let mut state = connected(None);
    assert_eq!(state.lag(at(25)), None);
    assert!(state.record_answer(Some(answer(REPLICA, 100)), at(20), &progress).changed);
    assert!(state.has_replicated_up_to(at(10)) && !state.has_replicated_up_to(at(11)));
    assert_eq!(state.lag(at(25)), Some(Duration::from_millis(15)));
    // A replica that has lost its master proves nothing new.
    progress.record_master_offset("a", at(30), 200);
    state.record_answer(Some(answer(cut_off(0), 200)), at(40), &progress);
    assert!(!state.has_replicated_up_to(at(11)));
    // An offset that goes back is that of a restarted node.
    state.record_answer(Some(answer(REPLICA, 99)), at(50), &progress);
    assert_eq!(state.replicated_up_to(), LogicalTime::ZERO);
}

#[test]
fn a_master_of_the_shards_lineage_records_its_offset() {
    let progress = ReplicationProgress::default();
    let mut state = connected(None);
    state.record_answer(Some(answer(MASTER, 7)), at(5), &progress);
    assert_eq!(progress.replicated_up_to("a", 7), None, "no election has looked at it yet");
    elected(&mut state, false, &progress);
    state.record_answer(Some(answer(MASTER, 7)), at(6), &progress);
    assert_eq!(progress.replicated_up_to("a", 7), None);
    elected(&mut state, true, &progress);
    state.record_answer(Some(answer(MASTER, 7)), at(7), &progress);
    assert_eq!(progress.replicated_up_to("a", 7), Some(at(7)));

    // What was answered before the election counts from the election on.
    let mut state = connected(None);
    state.record_answer(
        Some(ReplicationInfo { replication_id: "b".to_owned(), ..answer(MASTER, 7) }),
        at(8),
        &progress,
    );
    elected(&mut state, true, &progress);
    assert_eq!(progress.replicated_up_to("b", 7), Some(at(8)));
}

#[test]
fn without_process_ids_a_promotion_is_seen_unless_the_node_was_unreachable_in_between() {
    let progress = ReplicationProgress::default();
    let mut state = connected(Some(answer(REPLICA, 0)));
    state.record_answer(Some(answer(MASTER, 1)), at(2), &progress);
    assert!(sees_promotion(&state));
    state.record_answer(Some(answer(MASTER, 2)), at(3), &progress);
    assert!(sees_promotion(&state));

    let mut state = connected(Some(answer(REPLICA, 0)));
    state.set_connectivity(DOWN);
    state.mark_outdated();
    state.record_answer(Some(answer(MASTER, 1)), at(2), &progress);
    state.set_connectivity(UP);
    assert!(!sees_promotion(&state));
}

#[test]
fn the_process_tells_a_promotion_from_a_restart_though_the_node_was_unreachable_in_between() {
    let progress = ReplicationProgress::default();
    for (process, is_promotion) in [("p", true), ("q", false)] {
        let mut state = connected(Some(in_process("p", answer(REPLICA, 0))));
        state.set_connectivity(DOWN);
        state.mark_outdated();
        for time in 2..4 {
            state.record_answer(Some(in_process(process, answer(MASTER, 1))), at(time), &progress);
            state.set_connectivity(UP);
            assert_eq!(sees_promotion(&state), is_promotion);
            assert_eq!(state.replication_info().is_some_and(ReplicationInfo::is_mere_restart), !is_promotion);
        }
        // A promotion of the restarted process is one.
        state.record_answer(Some(in_process(process, answer(REPLICA, 1))), at(5), &progress);
        state.record_answer(Some(in_process(process, answer(MASTER, 1))), at(6), &progress);
        assert!(sees_promotion(&state) && !state.replication_info().is_some_and(ReplicationInfo::is_mere_restart));
    }
}

#[test]
fn a_master_of_another_process_or_history_is_not_used_before_an_election() {
    let progress = ReplicationProgress::default();
    let before = in_process("p", answer(MASTER, 1));
    let other_history = ReplicationInfo { replication_id: "b".to_owned(), ..before.clone() };
    for now in [in_process("q", before.clone()), other_history] {
        let mut state = connected(Some(before.clone()));
        assert!(state.is_writable_master() && state.is_readable_master());
        state.record_answer(Some(now.clone()), at(2), &progress);
        assert!(!state.is_writable_master() && !state.is_readable_master() && state.awaits_election());
        // An election that was held with the older answer says nothing about this one.
        state.record_election(&before, Lineage::Proven, &progress);
        state.record_answer(Some(now), at(3), &progress);
        assert!(state.awaits_election());
        elected(&mut state, true, &progress);
        assert!(state.is_writable_master() && state.is_readable_master());
    }
}

#[test]
fn another_process_than_that_of_the_last_answer_is_told_from_it() {
    let state = connected(Some(in_process("p", answer(MASTER, 1))));
    assert!(state.is_process("p") && state.is_process("") && !state.is_process("q"));
    assert!(connected(Some(answer(MASTER, 1))).is_process("p") && connected(None).is_process("p"));
}

#[test]
fn an_outdated_answer_still_tells_that_a_replica_lacks_its_data() {
    let mut state = connected(Some(answer(UNSYNCED, 0)));
    state.mark_outdated();
    assert!(state.replication_info().is_some(), "a connected node has not been restarted");
    state.set_connectivity(DOWN);
    state.mark_outdated();
    state.set_connectivity(UP);
    assert_eq!(state.replication_info(), None);
    assert!(!state.is_readable_replica() && !state.is_readable_master() && !state.may_be_master());
}

#[test]
fn a_reader_never_sees_facts_of_two_moments() {
    let cell = StateCell::new(connected(Some(answer(REPLICA, 0))));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for offset in 1..20_000 {
                let role = if offset % 2 == 0 { REPLICA } else { MASTER };
                cell.update(|state| {
                    state.record_answer(Some(answer(role, offset)), at(offset), &ReplicationProgress::default());
                    elected(state, offset % 2 == 0, &ReplicationProgress::default());
                });
            }
        });
        for _ in 0..20_000 {
            let state = cell.load();
            assert_eq!(state.is_readable_replica(), state.is_replica());
            assert_eq!(state.is_readable_replica(), !state.may_be_master());
        }
    });
}

#[test]
fn a_replica_that_dropped_its_data_is_not_read_until_a_later_answer_was_judged() {
    let progress = ReplicationProgress::default();
    let mut state = NodeState::new(UP, None);
    let replica = ReplicationRole::Replica { synced: true, down_for: None };
    state.record_answer(Some(answer(replica, 7)), at(1), &progress);
    elected(&mut state, true, &progress);
    assert!(state.is_readable_replica());
    state.mark_flushed();
    assert!(!state.is_readable_replica() && !state.is_usable_replica() && !state.is_readable_master());
    // The answer to a question from before the report.
    elected(&mut state, true, &progress);
    assert!(!state.is_readable_replica());
    state.record_answer(Some(ReplicationInfo { flushes: 1, ..answer(replica, 7) }), at(2), &progress);
    elected(&mut state, true, &progress);
    assert!(state.is_readable_replica());
}

/// The state of a master of process `p` that was made a replica and has not reached its master yet.
fn demoted() -> NodeState {
    let mut state = connected(Some(in_process("p", answer(MASTER, 7))));
    for ms in [2, 3] {
        state.record_answer(Some(in_process("p", answer(UNSYNCED, 7))), at(ms), &ReplicationProgress::default());
    }
    state
}

/// The state of a replica that was asked at this time, after it had lost its master.
fn cut_off_at(ms: u64) -> NodeState {
    let mut state = connected(None);
    state.record_answer(Some(answer(cut_off(1), 7)), at(ms), &ReplicationProgress::default());
    state
}

#[test]
fn a_demoted_master_has_its_own_data_until_it_drops_it() {
    let progress = ReplicationProgress::default();
    let state = demoted();
    assert!(!state.is_lost() && state.is_readable_master() && !state.may_be_master());
    assert!(!state.is_usable_replica(), "it is in touch with no master");
    // It drops its data, and says so before it answers anything else.
    let mut flushed = demoted();
    flushed.mark_flushed();
    assert!(flushed.is_lost() && !flushed.is_readable_master());
    // The answer to a question from before the report.
    flushed.record_answer(Some(in_process("p", answer(UNSYNCED, 7))), at(4), &progress);
    assert!(flushed.is_lost());
    // Another process was started as a replica, or it was cut off and may have dropped the data unheard.
    let mut restarted = demoted();
    restarted.record_answer(Some(in_process("q", answer(UNSYNCED, 0))), at(4), &progress);
    assert!(restarted.is_lost());
    let mut cut = demoted();
    cut.set_connectivity(DOWN);
    cut.mark_outdated();
    cut.set_connectivity(UP);
    cut.record_answer(Some(in_process("p", answer(UNSYNCED, 7))), at(4), &progress);
    assert!(cut.is_lost());
}

#[test]
fn a_node_may_have_more_data_until_it_was_asked_since_and_receives_none() {
    assert!(cut_off_at(5).may_have_more_of("a", at(5)) && !cut_off_at(5).may_have_more_of("a", at(4)));
    assert!(!cut_off_at(5).may_have_more_of("b", at(5)));
    assert!(connected(Some(answer(REPLICA, 7))).may_have_more_of("a", at(0)), "its master may not be gone for it yet");
    let mut lost = cut_off_at(5);
    lost.set_connectivity(DOWN);
    lost.mark_outdated();
    assert!(!lost.may_have_more_of("a", at(4)));
    lost.set_connectivity(Connectivity { up: false, connecting: true });
    assert!(lost.may_have_more_of("a", at(4)));
}
