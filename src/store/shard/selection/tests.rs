//! Tests of the choice of a node, against a direct transcription of its rules.

use super::*;
use crate::store::{
    consistency::ReplicationProgress,
    error::NodeError,
    node::{
        lineage::Lineage,
        replication::{ReplicationInfo, ReplicationRole},
        state::Connectivity,
    },
    shard::standing::MasterStanding,
};
use std::time::Duration;

const HASH: u64 = 0x5EED;
const UP: Connectivity = Connectivity { up: true, connecting: false };
const CONNECTING: Connectivity = Connectivity { up: false, connecting: true };
const DOWN: Connectivity = Connectivity { up: false, connecting: false };
const REPLICA: ReplicationRole = ReplicationRole::Replica { synced: true, down_for: None };

/// Returns the state of a node that answered with this role, when its master had come to time 100.
fn state(connectivity: Connectivity, role: Option<ReplicationRole>, offset: u64) -> NodeState {
    let progress = ReplicationProgress::default();
    progress.record_master_offset("id", LogicalTime::from_ms(100), 7);
    let mut state = NodeState::new(connectivity, None);
    let info = role.map(|role| ReplicationInfo {
        followed_address: None,
        role,
        replication_id: "id".to_owned(),
        previous_replication_id: String::new(),
        connected_replicas: 0,
        offset,
        run_id: String::new(),
        promotion_seen: false,
        flushes: 0,
        restart_seen: false,
        loading: false,
    });
    state.record_answer(info.clone(), LogicalTime::from_ms(100), &progress);
    if let Some(info) = info {
        state.record_election(&info, Lineage::Proven, &progress);
    }
    state
}

/// Returns the state of a replica of a shard of which no master has been known yet.
fn without_known_master() -> NodeState {
    let mut state = state(UP, Some(REPLICA), 0);
    let info = state.replication_info().cloned().expect("it has answered");
    state.record_election(&info, Lineage::Assumed, &ReplicationProgress::default());
    state
}

/// Returns one state of each kind that the rules tell apart.
fn states() -> [NodeState; 10] {
    let cut_off = ReplicationRole::Replica { synced: true, down_for: Some(Duration::from_secs(1)) };
    let unsynced = ReplicationRole::Replica { synced: false, down_for: None };
    let mut slow = state(UP, Some(REPLICA), 7);
    slow.set_slow_since(Some(LogicalTime::ZERO));
    [
        state(UP, Some(ReplicationRole::Master), 7),
        state(UP, Some(REPLICA), 7),
        state(UP, Some(REPLICA), 0),
        state(UP, Some(cut_off), 7),
        state(UP, Some(unsynced), 0),
        state(UP, None, 0),
        state(DOWN, None, 0),
        slow,
        state(CONNECTING, Some(ReplicationRole::Master), 7),
        without_known_master(),
    ]
}

/// Records one kind of failure of a node.
fn record(attempts: &mut Attempts, node: &Node, kind: usize) {
    match kind {
        1 => attempts.record(node, node.connections_opened(), NodeError::TimedOut),
        2 => attempts.record(node, node.connections_opened(), NodeError::Busy),
        // The node has another connection now.
        3 => attempts.record(node, node.connections_opened() + 1, NodeError::Lost),
        4 => attempts.record(node, node.connections_opened(), NodeError::Hung),
        _ => {}
    }
}

/// The rules: a fresh replica, else the master, else a replica that the loss of the master excuses.
fn by_the_rules(
    members: &Members,
    requirement: &ReadRequirement,
    attempts: &Attempts,
    except: Option<NodeId>,
) -> Option<NodeId> {
    let tried = |node: &Node| attempts.has_tried(node) || Some(node.id) == except;
    let best = |usable: &dyn Fn(&NodeState) -> bool| {
        let usable = members.replicas().filter(|node| !tried(node) && usable(&node.state()));
        usable.max_by_key(|node| (!node.state().is_slow(), rendezvous_score(requirement.hash, node.seed)))
    };
    let master_only = requirement.master_only || attempts.has_missed();
    let fresh = best(&|state| state.is_readable_replica() && state.has_replicated_up_to(requirement.since));
    let master = members.master().filter(|master| {
        let state = master.state();
        let has_changes = requirement.since == LogicalTime::ZERO || state.has_own_changes();
        let may_answer = if requirement.strict || master_only { state.may_be_master() } else { has_changes };
        !tried(master) && state.is_readable_master() && may_answer
    });
    let unreadable = members
        .master()
        .is_none_or(|master| !master.state().is_readable_master() || (attempts.all_failed() && tried(master)));
    let lost = members.master().is_none_or(|master| master.state().is_lost() || attempts.shows_loss(master));
    let any = !requirement.strict && (requirement.since == LogicalTime::ZERO || lost);
    let left = best(&|state| {
        state.is_usable_replica()
            && (state.is_readable_replica() || unreadable)
            && (any || state.has_replicated_up_to(requirement.since))
    });
    let chosen = if master_only { master } else { fresh.or(master).or(left) };
    chosen.map(|node| node.id)
}

#[test]
fn the_choice_and_its_alternative_follow_the_rules() {
    let nodes: Vec<_> = (1..=3).map(Node::unconnected).collect();
    let members = Members::new(nodes.clone(), Some(0));
    let states = states();
    for number in 0..states.len().pow(3) {
        nodes[0].set_state(&states[number % states.len()]);
        nodes[1].set_state(&states[number / states.len() % states.len()]);
        nodes[2].set_state(&states[number / states.len().pow(2)]);
        // With each state one other history of attempts, and in turn all of them.
        for history in (number % 7..5 * 5 * 5 * 2).step_by(7) {
            let mut attempts = Attempts::default();
            record(&mut attempts, &nodes[0], history % 5);
            record(&mut attempts, &nodes[1], history / 5 % 5);
            record(&mut attempts, &nodes[2], history / 25 % 5);
            if history / 125 == 1 {
                attempts.record_miss();
            }
            for (since, strict, master_only) in
                [(0, false, false), (50, false, false), (50, true, false), (200, true, false), (50, true, true)]
            {
                let since = LogicalTime::from_ms(since);
                let requirement = ReadRequirement { hash: HASH, since, strict, master_only, watch: None };
                let choice = members.choose(&requirement, &attempts);
                let chosen = choice.as_ref().map(|choice| choice.node.id);
                assert_eq!(chosen, by_the_rules(&members, &requirement, &attempts, None), "{number} {history}");
                if let Some(choice) = choice {
                    let second = by_the_rules(&members, &requirement, &attempts, chosen);
                    assert_eq!(choice.alternative.map(|node| node.id), second, "{number} {history} {requirement:?}");
                }
            }
        }
    }
}

#[test]
fn a_fallback_has_the_reason_why_the_preferred_node_does_not_answer() {
    let nodes: Vec<_> = (1..=3).map(Node::unconnected).collect();
    let members = Members::new(nodes.clone(), Some(0));
    let [master, fresh, behind, cut_off, ..] = states();
    nodes[0].set_state(&master);
    let preferred = Arc::clone(members.preferred_replica(HASH).expect("there are replicas"));
    let other = Arc::clone(members.replicas().find(|node| node.id != preferred.id).expect("there are two"));
    other.set_state(&fresh);
    let since = LogicalTime::from_ms(50);
    let requirement = ReadRequirement { hash: HASH, since, strict: false, master_only: false, watch: None };

    for (state, kind, cause) in [
        (&behind, 0, Fallback::NotFresh),
        (&cut_off, 0, Fallback::Unreadable),
        (&fresh, 1, Fallback::Failed),
        (&fresh, 0, Fallback::Slow),
    ] {
        preferred.set_state(state);
        let mut attempts = Attempts::default();
        record(&mut attempts, &preferred, kind);
        let choice = members.choose(&requirement, &attempts).expect("a node is readable");
        let fallback = choice.fallback.expect("an answer of the other node is a fallback");
        assert_eq!((fallback.fallback(other.id), fallback.fallback(preferred.id)), (Some(cause), None));
    }

    // A master that confirms that a key does not exist is no fallback.
    let mut attempts = Attempts::default();
    attempts.record_miss();
    let choice = members.choose(&requirement, &attempts).expect("the master is readable");
    assert!(choice.node.id == nodes[0].id && choice.fallback.is_none() && choice.alternative.is_none());
}

#[test]
fn a_master_that_is_not_accepted_answers_no_strict_read() {
    let nodes: Vec<_> = (1..=2).map(Node::unconnected).collect();
    let [master, fresh, ..] = states();
    nodes[0].set_state(&master);
    nodes[1].set_state(&fresh);
    let plain =
        ReadRequirement { hash: HASH, since: LogicalTime::ZERO, strict: false, master_only: false, watch: None };
    let strict = ReadRequirement { strict: true, ..plain };
    let of_master = ReadRequirement { master_only: true, ..plain };
    let (none, mut missed) = (Attempts::default(), Attempts::default());
    missed.record_miss();
    for (standing, confirms_misses) in [(MasterStanding::Contested, true), (MasterStanding::Held, false)] {
        let members = Members::new(nodes.clone(), Some(0)).with_standing(standing);
        assert!(members.choose(&strict, &none).is_none() && members.choose(&of_master, &none).is_none());
        let choice = members.choose(&plain, &none).expect("the replica is readable");
        assert_eq!((choice.node.id, choice.alternative.is_some()), (nodes[1].id, confirms_misses));
        assert_eq!(members.choose(&plain, &missed).is_some(), confirms_misses);
        assert!(members.writable_master().is_none());
    }
}

#[test]
fn a_master_that_is_being_connected_to_again_is_not_lost() {
    let nodes: Vec<_> = (1..=2).map(Node::unconnected).collect();
    let members = Members::new(nodes.clone(), Some(0));
    let [master, _, behind, .., down, _, connecting, _] = states();
    nodes[1].set_state(&behind);
    let changed =
        ReadRequirement { hash: HASH, since: LogicalTime::from_ms(50), strict: false, master_only: false, watch: None };
    let unchanged = ReadRequirement { since: LogicalTime::ZERO, ..changed };
    for (state, is_excused) in [(&connecting, false), (&down, true), (&master, false)] {
        nodes[0].set_state(state);
        let mut attempts = Attempts::default();
        if state.is_up() {
            // Its connection was lost, and the node is not known to be down.
            attempts.record(&nodes[0], nodes[0].connections_opened(), NodeError::Lost);
        }
        let chosen = [&changed, &unchanged].map(|requirement| members.choose(requirement, &attempts).is_some());
        assert_eq!(chosen, [is_excused, true]);
    }
}
