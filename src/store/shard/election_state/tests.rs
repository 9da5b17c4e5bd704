//! Tests of the state of an election: what it keeps from one election to the next.

use super::*;
use crate::store::{
    consistency::{LogicalTime, ReplicationProgress},
    node::{
        Node,
        replication::ReplicationRole,
        state::{Connectivity, NodeState},
    },
};
use std::sync::Arc;

mod deposed;
mod lineage;

const HOLD_TIME: Duration = Duration::from_secs(30);
const REPLICA: ReplicationRole = ReplicationRole::Replica { synced: true, down_for: None };

/// The nodes of a shard and its election.
struct Scene {
    members: Members,
    election: MasterElection,
    now: Instant,
    /// The time of the last question.
    asked_ms: u64,
}

impl Scene {
    /// Creates a shard whose first node is its accepted master, with the history `a`, and is followed by the others.
    fn with_replicas(count: u16) -> Self {
        let mut scene = Self::unknown(count);
        scene.answers(0, ReplicationInfo::reported(ReplicationRole::Master, "a", ""));
        for replica in 1..=usize::from(count) {
            scene.answers(replica, ReplicationInfo::reported(REPLICA, "a", ""));
        }
        assert_eq!(scene.elect(), (0, MasterStanding::Accepted));
        scene
    }

    /// Creates a shard of which nothing is known but its list of nodes: a master and so many replicas.
    fn unknown(replicas: u16) -> Self {
        let nodes = (0..=replicas).map(|number| Node::unconnected(number + 1)).collect();
        Self {
            members: Members::new(nodes, Some(0)),
            election: MasterElection::new(HOLD_TIME),
            now: Instant::now(),
            asked_ms: 0,
        }
    }

    /// Sets the last answer of a node, which is connected. Each answer is to a later question.
    fn answers(&mut self, node: usize, info: ReplicationInfo) {
        self.asked_ms += 1;
        let mut state = NodeState::new(Connectivity { up: true, connecting: false }, None);
        state.record_answer(Some(info), LogicalTime::from_ms(self.asked_ms), &ReplicationProgress::default());
        self.members.nodes()[node].set_state(&state);
    }

    /// Makes a node lose its connection, which is just being opened again.
    fn is_cut(&self, node: usize) {
        let mut state = NodeState::clone(&self.members.nodes()[node].state());
        state.set_connectivity(Connectivity { up: false, connecting: true });
        state.mark_outdated();
        self.members.nodes()[node].set_state(&state);
    }

    /// Makes a node unreachable, after it has answered.
    fn is_lost(&self, node: usize) {
        let mut state = NodeState::clone(&self.members.nodes()[node].state());
        state.set_connectivity(Connectivity::default());
        state.mark_outdated();
        self.members.nodes()[node].set_state(&state);
    }

    /// Makes a node unreachable of which nothing is known.
    fn is_down(&self, node: usize) {
        self.members.nodes()[node].set_state(&NodeState::new(Connectivity::default(), None));
    }

    /// Holds an election and publishes its result. Returns the master and its standing.
    fn elect(&mut self) -> (usize, MasterStanding) {
        let result = self.election.run(&self.members, self.now).expect("there are nodes");
        result.record(&self.members);
        let members = Members::new(self.members.nodes().to_vec(), Some(result.elected));
        self.members = members.with_standing(result.standing);
        let waits = matches!(result.candidate, Some((_, CandidacyState::Waits { .. })));
        assert_eq!(result.due.is_some(), result.awaits_answers || result.standing == MasterStanding::Held || waits);
        assert_eq!(self.election.candidate().is_some(), waits);
        (result.elected, result.standing)
    }

    fn awaits_election(&self, node: usize) -> bool {
        self.members.nodes()[node].state().awaits_election()
    }

    fn is_usable_replica(&self, node: usize) -> bool {
        self.members.nodes()[node].state().is_usable_replica()
    }

    fn announce(&mut self, node: usize) {
        let address = self.members.nodes()[node].address.clone();
        self.election.set_announced_master(Some(&address));
    }
}

/// A replica of history `a` that has lost its master, and has applied so much of it.
fn cut_off_at(offset: u64) -> ReplicationInfo {
    let role = ReplicationRole::Replica { synced: true, down_for: Some(Duration::ZERO) };
    ReplicationInfo { offset, ..ReplicationInfo::reported(role, "a", "") }
}

fn master(id: &str, previous: &str) -> ReplicationInfo {
    ReplicationInfo::reported(ReplicationRole::Master, id, previous)
}

#[test]
fn a_master_without_data_is_held_for_the_time_that_is_set() {
    let mut scene = Scene::with_replicas(1);
    scene.answers(0, master("empty", ""));
    assert!(scene.awaits_election(0), "it is not used before an election");
    assert_eq!(scene.elect(), (0, MasterStanding::Held));
    assert!(!scene.awaits_election(0));
    // It goes away and comes back, which does not begin another hold.
    scene.now += HOLD_TIME / 2;
    scene.is_down(0);
    assert_eq!(scene.elect(), (0, MasterStanding::Held));
    scene.answers(0, master("empty", ""));
    scene.now += HOLD_TIME / 2;
    scene.now -= Duration::from_millis(1);
    assert_eq!(scene.elect(), (0, MasterStanding::Held));
    scene.now += Duration::from_millis(1);
    assert_eq!(scene.elect(), (0, MasterStanding::Accepted));
    assert_eq!(scene.elect(), (0, MasterStanding::Accepted));
    // The replica has the data of a history that counts no more.
    assert!(!scene.members.nodes()[1].state().is_usable_replica());
}

#[test]
fn the_hold_of_a_master_that_is_gone_ends_in_time() {
    let mut scene = Scene::with_replicas(1);
    scene.answers(0, master("empty", ""));
    assert_eq!(scene.elect(), (0, MasterStanding::Held));
    scene.is_down(0);
    scene.now += HOLD_TIME;
    assert_eq!(scene.elect(), (0, MasterStanding::Accepted));
}

#[test]
fn a_hold_ends_when_no_node_has_the_data_or_one_that_has_it_is_promoted() {
    let mut scene = Scene::with_replicas(2);
    scene.answers(0, master("empty", ""));
    scene.answers(1, ReplicationInfo::reported(REPLICA, "empty", ""));
    assert_eq!(scene.elect(), (0, MasterStanding::Held));
    assert!(!scene.members.nodes()[1].state().is_usable_replica());
    assert!(scene.members.nodes()[2].state().is_usable_replica());
    scene.answers(2, master("b", "a"));
    assert_eq!(scene.elect(), (2, MasterStanding::Accepted));

    let mut scene = Scene::with_replicas(1);
    scene.answers(0, master("empty", ""));
    assert_eq!(scene.elect(), (0, MasterStanding::Held));
    scene.answers(1, ReplicationInfo::reported(REPLICA, "empty", ""));
    assert_eq!(scene.elect(), (0, MasterStanding::Accepted));
    assert!(scene.members.nodes()[1].state().is_usable_replica());
}

#[test]
fn an_old_announcement_does_not_excuse_that_the_data_is_missing() {
    let mut scene = Scene::with_replicas(1);
    scene.announce(0);
    scene.answers(0, master("empty", ""));
    assert_eq!(scene.elect(), (0, MasterStanding::Held));
    scene.answers(1, master("b", "a"));
    scene.announce(1);
    assert_eq!(scene.elect(), (1, MasterStanding::Accepted));
}

#[test]
fn a_master_that_takes_the_place_of_one_that_was_taken_off_the_list_is_used_whatever_data_it_has() {
    let mut scene = Scene::with_replicas(2);
    scene.answers(1, master("other", ""));
    let rest = scene.members.nodes()[1..].to_vec();
    scene.members = Members::new(rest, Some(0));
    scene.election.record_replaced_master();
    assert_eq!(scene.elect(), (0, MasterStanding::Accepted));
}

#[test]
fn a_contest_ends_with_an_announcement_or_a_demotion() {
    let mut scene = Scene::with_replicas(1);
    scene.is_down(1);
    scene.answers(1, master("c", "a"));
    assert_eq!(scene.elect(), (0, MasterStanding::Contested));
    // The other one is stopped.
    scene.is_down(1);
    assert_eq!(scene.elect(), (0, MasterStanding::Accepted));
    scene.answers(1, master("c", "a"));
    assert_eq!(scene.elect(), (0, MasterStanding::Contested));
    scene.announce(0);
    assert_eq!(scene.elect(), (0, MasterStanding::Accepted));
    // Only while it is announced: the other node may have been promoted from it.
    scene.election.set_announced_master(None);
    assert_eq!(scene.elect(), (0, MasterStanding::Contested));
    scene.answers(0, ReplicationInfo::reported(REPLICA, "c", ""));
    assert_eq!(scene.elect(), (1, MasterStanding::Accepted));
    // That is proof, should the old one come back as a master.
    scene.answers(0, master("a", ""));
    assert_eq!(scene.elect(), (1, MasterStanding::Accepted));
}

#[test]
fn a_master_that_comes_back_is_not_used_before_its_replicas_were_asked_since() {
    for (offset, standing) in [(9, MasterStanding::Held), (5, MasterStanding::Accepted)] {
        let mut scene = Scene::with_replicas(1);
        // From its file, whose end the replica had reached when it was last asked.
        scene.answers(1, ReplicationInfo { offset: 5, ..ReplicationInfo::reported(REPLICA, "a", "") });
        scene.answers(0, ReplicationInfo { offset: 5, ..master("fresh", "a") });
        assert_eq!(scene.elect(), (0, MasterStanding::Accepted));
        assert!(scene.awaits_election(0), "the replica may have received more");
        // It still reads from the connection that the dead master has closed.
        scene.answers(1, ReplicationInfo { offset: 5, ..ReplicationInfo::reported(REPLICA, "a", "") });
        scene.elect();
        assert!(scene.awaits_election(0), "the replica still receives something");
        scene.answers(1, cut_off_at(offset));
        assert_eq!(scene.elect(), (0, standing));
        assert!(!scene.awaits_election(0));
    }
}

#[test]
fn a_master_that_comes_back_is_not_used_while_its_replicas_are_connected_to_again() {
    let mut scene = Scene::with_replicas(1);
    scene.answers(1, cut_off_at(9));
    scene.elect();
    scene.is_cut(1);
    scene.answers(0, master("empty", ""));
    scene.elect();
    assert!(scene.awaits_election(0), "the replica may have the data");
    scene.answers(1, cut_off_at(9));
    assert_eq!(scene.elect(), (0, MasterStanding::Held));
}

#[test]
fn a_master_that_comes_back_waits_neither_for_long_nor_for_nodes_that_are_gone() {
    let mut scene = Scene::with_replicas(2);
    scene.is_cut(1);
    scene.is_down(2);
    scene.answers(0, master("empty", ""));
    scene.elect();
    assert!(scene.awaits_election(0));
    scene.now += Duration::from_secs(1);
    assert_eq!(scene.elect(), (0, MasterStanding::Accepted));
    assert!(!scene.awaits_election(0));

    let mut scene = Scene::with_replicas(1);
    scene.is_down(1);
    scene.answers(0, master("empty", ""));
    assert_eq!(scene.elect(), (0, MasterStanding::Accepted));
    assert!(!scene.awaits_election(0));
}

#[test]
fn a_contest_ends_when_the_elected_node_is_stopped() {
    let mut scene = Scene::with_replicas(1);
    scene.is_down(1);
    scene.answers(0, master("c", "a"));
    scene.elect();
    scene.answers(1, master("a", ""));
    assert_eq!(scene.elect(), (0, MasterStanding::Contested));
    // It may come back in a moment.
    scene.is_cut(0);
    assert_eq!(scene.elect(), (0, MasterStanding::Contested));
    scene.is_down(0);
    assert_eq!(scene.elect(), (1, MasterStanding::Accepted));
    // Should it come back, nothing proves more than before.
    scene.answers(0, master("c", "a"));
    assert_eq!(scene.elect(), (1, MasterStanding::Contested));
}

#[test]
fn an_unrelated_master_that_is_added_takes_nothing_over() {
    let mut scene = Scene::with_replicas(0);
    let nodes = [Arc::clone(&scene.members.nodes()[0]), Node::unconnected(9)];
    scene.members = Members::new(nodes.to_vec(), Some(0));
    assert_eq!(scene.elect(), (0, MasterStanding::Accepted));
    scene.answers(1, ReplicationInfo { promotion_seen: true, connected_replicas: 1, ..master("x", "y") });
    assert_eq!(scene.elect(), (0, MasterStanding::Accepted));
}

#[test]
fn an_instance_that_has_not_heard_all_nodes_yet_uses_no_unproven_master_for_long() {
    let nodes = (0..2).map(|number| Node::unconnected(number + 1)).collect();
    let mut scene = Scene {
        members: Members::new(nodes, Some(0)),
        election: MasterElection::new(HOLD_TIME),
        now: Instant::now(),
        asked_ms: 0,
    };
    scene.answers(0, master("fresh", ""));
    assert_eq!(scene.elect(), (0, MasterStanding::Accepted));
    scene.answers(1, master("x", "y"));
    assert_eq!(scene.elect(), (0, MasterStanding::Contested));
    scene.answers(1, ReplicationInfo { promotion_seen: true, ..master("x", "y") });
    assert_eq!(scene.elect(), (1, MasterStanding::Accepted));
}

#[test]
fn a_replica_is_not_read_before_the_listed_master_could_say_whose_data_it_has() {
    let mut scene = Scene::unknown(1);
    scene.is_cut(0);
    scene.answers(1, ReplicationInfo::reported(REPLICA, "of another shard", ""));
    assert!(!scene.is_usable_replica(1), "no election has looked at it");
    scene.elect();
    assert!(!scene.is_usable_replica(1), "the master is just being connected to");
    scene.is_down(0);
    scene.elect();
    assert!(scene.is_usable_replica(1), "no master is there, and any data is better than none");
    scene.answers(0, master("a", ""));
    scene.elect();
    assert!(!scene.is_usable_replica(1), "it follows another master");
}

#[test]
fn a_candidate_is_accepted_after_the_time_of_a_hold_however_often_it_is_lost_meanwhile() {
    let mut scene = Scene::unknown(2);
    scene.is_down(0);
    scene.answers(1, master("empty", ""));
    scene.answers(2, ReplicationInfo::reported(REPLICA, "empty", ""));
    assert_eq!(scene.elect(), (0, MasterStanding::Accepted));
    scene.now += HOLD_TIME / 2;
    scene.is_down(1);
    assert_eq!(scene.elect(), (0, MasterStanding::Accepted));
    scene.answers(1, master("empty", ""));
    scene.now += HOLD_TIME / 2;
    scene.now -= Duration::from_millis(1);
    assert_eq!(scene.elect(), (0, MasterStanding::Accepted));
    scene.now += Duration::from_millis(1);
    assert_eq!(scene.elect(), (1, MasterStanding::Accepted));
    // A node that is promoted later takes over, although it has the data of another history.
    scene.answers(2, ReplicationInfo { promotion_seen: true, ..master("b", "a") });
    assert_eq!(scene.elect(), (2, MasterStanding::Accepted));
}

#[test]
fn a_restart_of_a_candidate_begins_its_time_anew() {
    let mut scene = Scene::unknown(1);
    scene.is_down(0);
    scene.answers(1, master("one", ""));
    assert_eq!(scene.elect(), (0, MasterStanding::Accepted));
    scene.now += HOLD_TIME;
    scene.answers(1, master("two", ""));
    assert_eq!(scene.elect(), (0, MasterStanding::Accepted));
}

#[test]
fn no_node_is_a_candidate_beside_another_master_an_announced_one_or_a_known_one() {
    let mut scene = Scene::unknown(2);
    scene.is_down(0);
    scene.answers(1, master("one", ""));
    scene.answers(2, master("two", ""));
    scene.elect();
    assert_eq!(scene.election.candidate(), None);
    scene.is_down(2);
    scene.announce(2);
    scene.elect();
    assert_eq!(scene.election.candidate(), None);

    let mut known = Scene::with_replicas(1);
    known.is_down(0);
    known.answers(1, master("empty", ""));
    known.elect();
    assert_eq!(known.election.candidate(), None);
}

#[test]
fn a_candidate_that_was_accepted_is_contested_by_the_listed_master_unless_only_the_candidate_is_followed() {
    for (followers, standing) in [(0, MasterStanding::Contested), (1, MasterStanding::Accepted)] {
        let mut scene = Scene::unknown(1);
        scene.is_down(0);
        scene.answers(1, master("empty", ""));
        scene.elect();
        scene.now += HOLD_TIME;
        let followed = ReplicationInfo { connected_replicas: followers, ..master("empty", "") };
        scene.answers(1, followed.clone());
        assert_eq!(scene.elect(), (1, MasterStanding::Accepted));
        scene.answers(0, master("a", ""));
        assert_eq!(scene.elect(), (1, standing));
        // Once it follows, nothing is unproven any more.
        scene.answers(0, ReplicationInfo::reported(REPLICA, "empty", ""));
        assert_eq!(scene.elect(), (1, MasterStanding::Accepted));
        scene.answers(0, master("b", ""));
        assert_eq!(scene.elect(), (1, MasterStanding::Accepted));
    }
}
