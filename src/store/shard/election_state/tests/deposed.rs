//! Tests of masters that were deposed and live on.

use super::*;

#[test]
fn a_deposed_master_is_not_used_when_its_successor_dies_until_the_successor_follows_it() {
    let promoted = |id: &str, previous: &str| ReplicationInfo { promotion_seen: true, ..master(id, previous) };
    let mut scene = Scene::with_replicas(2);
    scene.answers(0, ReplicationInfo::reported(REPLICA, "a", ""));
    scene.answers(1, promoted("b", "a"));
    assert_eq!(scene.elect(), (1, MasterStanding::Accepted));
    // The next two promotions happen while the masters before live on.
    scene.answers(2, promoted("c", "b"));
    assert_eq!(scene.elect(), (2, MasterStanding::Accepted));
    scene.answers(0, promoted("d", "c"));
    assert_eq!(scene.elect(), (0, MasterStanding::Accepted));
    scene.is_lost(0);
    scene.is_lost(2);
    assert_eq!(scene.elect(), (0, MasterStanding::Accepted));
    // It is back, and an operator has made the deposed master its own.
    scene.answers(0, ReplicationInfo::reported(REPLICA, "b", ""));
    assert_eq!(scene.elect(), (1, MasterStanding::Accepted));
    scene.answers(2, promoted("c", "b"));
    scene.is_lost(1);
    assert_eq!(scene.elect(), (1, MasterStanding::Accepted));
}

#[test]
fn a_deposed_master_may_be_used_again_when_the_list_lacks_its_successor() {
    let mut scene = Scene::with_replicas(2);
    scene.answers(0, ReplicationInfo::reported(REPLICA, "a", ""));
    scene.answers(1, ReplicationInfo { promotion_seen: true, ..master("b", "a") });
    scene.elect();
    scene.answers(2, ReplicationInfo { promotion_seen: true, ..master("c", "b") });
    assert_eq!(scene.elect(), (2, MasterStanding::Accepted));
    scene.is_lost(0);
    let rest = scene.members.nodes()[..2].to_vec();
    scene.members = Members::new(rest, Some(0));
    scene.election.record_replaced_master();
    assert_eq!(scene.elect(), (1, MasterStanding::Accepted));
}

#[test]
fn a_deposed_master_is_used_again_when_sentinel_announces_it() {
    let mut scene = Scene::with_replicas(1);
    scene.announce(0);
    scene.answers(1, ReplicationInfo { promotion_seen: true, ..master("b", "a") });
    scene.announce(1);
    assert_eq!(scene.elect(), (1, MasterStanding::Accepted));
    scene.is_lost(1);
    assert_eq!(scene.elect(), (1, MasterStanding::Accepted));
    // Sentinel promotes a living master if nothing else is left, which does not change the name of its history.
    scene.announce(0);
    assert_eq!(scene.elect(), (0, MasterStanding::Accepted));
}

#[test]
fn a_master_whose_announced_successor_does_not_answer_takes_no_writes() {
    let mut scene = Scene::with_replicas(2);
    scene.is_lost(1);
    scene.announce(1);
    assert_eq!(scene.elect(), (0, MasterStanding::Deposed));
    // Until it answers.
    scene.answers(1, master("b", "a"));
    assert_eq!(scene.elect(), (1, MasterStanding::Accepted));
}

#[test]
fn a_master_is_used_on_when_the_announcement_of_its_successor_ends() {
    let mut scene = Scene::with_replicas(1);
    scene.is_down(1);
    for after in [None, Some(0)] {
        scene.announce(1);
        assert_eq!(scene.elect(), (0, MasterStanding::Deposed));
        match after {
            Some(node) => scene.announce(node),
            None => _ = scene.election.set_announced_master(None),
        }
        assert_eq!(scene.elect(), (0, MasterStanding::Accepted));
    }
}

#[test]
fn an_announced_node_that_answers_as_a_replica_or_hides_its_role_takes_nothing_over() {
    let mut scene = Scene::with_replicas(1);
    scene.announce(1);
    assert_eq!(scene.elect(), (0, MasterStanding::Accepted), "it is just being promoted");
    let mut state = NodeState::new(Connectivity { up: true, connecting: false }, None);
    state.record_answer(None, LogicalTime::from_ms(9), &ReplicationProgress::default());
    scene.members.nodes()[1].set_state(&state);
    assert_eq!(scene.elect(), (0, MasterStanding::Accepted), "it never tells");
}
