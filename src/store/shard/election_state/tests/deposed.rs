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
