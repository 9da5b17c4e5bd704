//! Tests of the conditions on which a request waits for a node.

use super::*;
use crate::store::{
    consistency::{LogicalTime, ReplicationProgress},
    node::{
        replication::{ReplicationInfo, ReplicationRole},
        state::{Connectivity, NodeState},
    },
};

const STRICT: ReadRequirement =
    ReadRequirement { hash: 1, since: LogicalTime::ZERO, strict: true, master_only: true, watch: None };

fn master() -> ReplicationInfo {
    ReplicationInfo::reported(ReplicationRole::Master, "a", "")
}

/// A shard whose only node is connected, and has answered this.
fn with_master(info: ReplicationInfo) -> Members {
    let mut state = NodeState::new(Connectivity { up: true, connecting: false }, None);
    state.record_answer(Some(info), LogicalTime::from_ms(1), &ReplicationProgress::default());
    let node = Node::unconnected(1);
    node.set_state(&state);
    Members::new(vec![node], Some(0))
}

#[test]
fn nothing_waits_for_a_master_that_is_loading_its_data() {
    let members = with_master(ReplicationInfo { loading: true, ..master() });
    let attempts = Attempts::default();
    assert!(!members.may_become_writable(&attempts) && !members.may_become_readable(&STRICT, &attempts));
    assert!(!members.is_master_changing());
    let error = members.last_error(&attempts);
    assert!(matches!(error.refusal(), Some(ServerRefusal::Loading)), "{error}");
}

#[test]
fn a_master_that_no_election_has_looked_at_is_waited_for_until_the_deadline() {
    let members = with_master(master());
    let attempts = Attempts::default();
    assert!(members.writer(&attempts).is_none() && members.expects_master(&attempts));
    assert!(members.may_become_readable(&STRICT, &attempts) && members.awaits_master(&STRICT, &attempts));
    // What is refused needs no wait.
    let held = members.with_standing(MasterStanding::Held);
    assert!(!held.expects_master(&attempts) && !held.awaits_master(&STRICT, &attempts));
}

#[test]
fn the_successor_of_a_demoted_master_is_waited_for_until_the_deadline() {
    let demoted = ReplicationRole::Replica { synced: true, down_for: None };
    let members = with_master(ReplicationInfo::reported(demoted, "a", ""));
    let attempts = Attempts::default();
    assert!(!members.awaits_master(&STRICT, &attempts), "it was demoted long ago");
    members.nodes()[0].set_promotion_expected(true);
    assert!(members.choose(&STRICT, &attempts).is_none() && members.awaits_master(&STRICT, &attempts));
    assert!(members.last_error(&attempts).is_demotion(), "{}", members.last_error(&attempts));
    let mut refused = Attempts::default();
    refused.record(&members.nodes()[0], 0, NodeError::NotMaster);
    assert!(members.writer(&refused).is_none() && members.expects_master(&refused));
    assert!(members.awaits_master(&STRICT, &refused));
}
