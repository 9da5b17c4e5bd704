//! A real Redis Cluster that fails over and moves slots.

use super::{BRIEF, LONG, WITHOUT_MASTER, until_ready};
use crate::harness::{Cluster, Load, Service, Traffic};
use std::time::Duration;

/// The key of the load that its readers and writers use all the time.
const BUSY_KEY: &str = "load:0:0";

/// What a node of the cluster says to a command on a key, after it has sent us on.
fn ask(cluster: &Cluster, key: &str, command: &str) -> String {
    let owner = cluster.owner(0, cluster.slot_of(key)).expect("an owner");
    cluster.nodes()[owner].ask(command).expect("an answer")
}

#[tokio::test]
async fn a_replica_takes_over_and_a_slot_moves_with_its_keys() {
    let cluster = Cluster::start().await;
    let slot = cluster.slot_of(BUSY_KEY);
    let keys: Vec<String> = (0..25).map(|number| format!("{{{BUSY_KEY}}}{number}")).collect();
    for key in &keys {
        assert_eq!(ask(&cluster, key, &format!("SET {key} {key}")), "+OK");
    }
    let (from, to) = (cluster.owner(0, slot).expect("an owner"), (cluster.owner(0, slot).expect("an owner") + 1) % 3);
    cluster.move_slot(slot, from, to).await;
    assert_eq!(cluster.owner(0, slot), Some(to));
    for key in &keys {
        assert_eq!(ask(&cluster, key, &format!("GET {key}")), *key);
    }
    assert!(cluster.nodes()[from].ask(&format!("GET {}", keys[0])).expect("an answer").starts_with("-MOVED"));

    cluster.fail_over(to + 3).await;
    crate::harness::eventually("the replica has the slot", async || (cluster.owner(0, slot)? == to + 3).then_some(()))
        .await;
    assert_eq!(ask(&cluster, &keys[0], &format!("GET {}", keys[0])), keys[0]);
}

#[tokio::test]
async fn a_cluster_with_a_password_moves_slots_and_fails_over_by_itself() {
    let cluster = Cluster::start_with("a-password").await;
    let slot = cluster.slot_of("k");
    assert_eq!(ask(&cluster, "k", "SET k v"), "+OK");
    let from = cluster.owner(0, slot).expect("an owner");
    let to = (from + 1) % 3;
    cluster.move_slot(slot, from, to).await;
    assert_eq!(ask(&cluster, "k", "GET k"), "v");
    let replica = &cluster.nodes()[to + 3];
    crate::harness::eventually("the replica has the key", async || {
        (replica.info("db0")?.starts_with("keys=1,")).then_some(())
    })
    .await;
    cluster.nodes()[to].kill();
    cluster.until_master(to + 3).await;
    assert_eq!(cluster.nodes()[to + 3].ask("GET k").expect("an answer"), "v");
}

async fn under_load(cluster: &Cluster) -> (Service, Traffic) {
    let service = Service::start(&cluster.sections());
    until_ready(&service, "READY").await;
    let traffic = Traffic::start(Load::on(&service)).await;
    (service, traffic)
}

#[tokio::test]
#[ignore = "the service does not know Redis Cluster yet"]
async fn a_planned_failover_of_a_cluster_under_load_fails_no_request() {
    let cluster = Cluster::start().await;
    let (_service, traffic) = under_load(&cluster).await;
    let owner = cluster.owner(0, cluster.slot_of(BUSY_KEY)).expect("an owner");
    cluster.fail_over(owner + 3).await;
    traffic.until_written().await;
    traffic.goes_on_for(Duration::from_secs(1)).await;
    let figures = traffic.finish().await;
    figures.report("a master of a cluster", "CLUSTER FAILOVER").expect_no_failed_read();
    figures.expect_no_failed_write().expect_nothing_lost().expect_stalls_within(BRIEF, BRIEF);
}

#[tokio::test]
#[ignore = "the service does not know Redis Cluster yet"]
async fn a_slot_that_moves_under_load_fails_no_request() {
    let cluster = Cluster::start().await;
    let (_service, traffic) = under_load(&cluster).await;
    let slot = cluster.slot_of(BUSY_KEY);
    let owner = cluster.owner(0, slot).expect("an owner");
    for (from, to) in [(owner, (owner + 1) % 3), ((owner + 1) % 3, owner)] {
        cluster.move_slot(slot, from, to).await;
        traffic.until_written().await;
        traffic.until_read().await;
    }
    let figures = traffic.finish().await;
    figures.report("a slot of a cluster", "moves to another master and back").expect_no_failed_read();
    figures.expect_no_failed_write().expect_nothing_lost().expect_stalls_within(BRIEF, BRIEF);
}

/// As Redis is configured by default, the whole cluster refuses reads, too, while a slot has no master.
#[tokio::test]
#[ignore = "the service does not know Redis Cluster yet"]
async fn a_master_of_a_cluster_that_is_killed_is_followed_by_its_replica() {
    let cluster = Cluster::start().await;
    let (_service, traffic) = under_load(&cluster).await;
    let owner = cluster.owner(0, cluster.slot_of(BUSY_KEY)).expect("an owner");
    cluster.nodes()[owner].kill();
    cluster.until_master(owner + 3).await;
    traffic.until_written().await;
    let figures = traffic.finish().await;
    figures.report("a master of a cluster", "kill -9, its replica takes over");
    figures.expect_reads_failed_only_with(&["shard_unavailable", "deadline_passed"]);
    figures.expect_writes_failed_only_with(&WITHOUT_MASTER).expect_stalls_within(LONG, LONG);
}
