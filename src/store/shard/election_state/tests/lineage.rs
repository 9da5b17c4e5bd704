//! Tests of the nodes that are read before a master is known, and while the node that has the data is lost.

use super::*;

#[test]
fn no_replica_is_read_before_all_nodes_that_may_be_the_master_could_answer() {
    let mut scene = Scene::unknown(2);
    scene.is_down(0);
    scene.is_cut(1);
    scene.answers(2, ReplicationInfo::reported(REPLICA, "of another shard", ""));
    scene.elect();
    assert!(!scene.is_usable_replica(2), "a promoted node may be just being connected to");
    scene.is_down(1);
    scene.elect();
    assert!(scene.is_usable_replica(2), "any data is better than none");
}

#[test]
fn replicas_that_disagree_are_not_read_while_no_master_is_known() {
    let mut scene = Scene::unknown(2);
    scene.is_down(0);
    scene.answers(1, cut_off_at(10));
    scene.answers(2, ReplicationInfo::reported(REPLICA, "of another shard", ""));
    scene.elect();
    assert!(!scene.is_usable_replica(1) && !scene.is_usable_replica(2), "either may have the data of another shard");
    scene.answers(2, ReplicationInfo::reported(REPLICA, "b", "a"));
    scene.elect();
    assert!(!scene.is_usable_replica(1) && scene.is_usable_replica(2), "the later history of two is read");
    scene.answers(2, cut_off_at(20));
    scene.elect();
    assert!(scene.is_usable_replica(1) && scene.is_usable_replica(2));
    // A node that never had data contradicts nothing.
    let unsynced = ReplicationRole::Replica { synced: false, down_for: Some(Duration::ZERO) };
    scene.answers(2, ReplicationInfo::reported(unsynced, "of its own", ""));
    scene.elect();
    assert!(scene.is_usable_replica(1) && !scene.is_usable_replica(2));
}

#[test]
fn a_listed_master_that_is_a_replica_of_another_shard_is_not_read() {
    let mut scene = Scene::unknown(2);
    scene.answers(0, ReplicationInfo::reported(REPLICA, "of another shard", ""));
    scene.answers(1, master("a", ""));
    scene.answers(2, ReplicationInfo::reported(REPLICA, "a", ""));
    scene.elect();
    assert!(!scene.members.nodes()[0].state().is_readable_master());
    assert!(!scene.is_usable_replica(0) && scene.is_usable_replica(2));
}

#[test]
fn a_hold_goes_on_while_the_node_that_has_the_data_is_lost() {
    let mut scene = Scene::with_replicas(1);
    scene.answers(0, master("empty", ""));
    assert_eq!(scene.elect(), (0, MasterStanding::Held));
    scene.is_lost(1);
    assert_eq!(scene.elect(), (0, MasterStanding::Held));
    scene.now += HOLD_TIME;
    assert_eq!(scene.elect(), (0, MasterStanding::Accepted));
}
