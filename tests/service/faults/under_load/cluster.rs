//! Failovers and slot moves of a real Redis Cluster under a load.

use super::{BRIEF, LONG, WITHOUT_MASTER, until_ready};
use crate::harness::{Cluster, Load, Service, Traffic};
use std::time::Duration;

/// A key that the readers and writers of the load use all the time.
const BUSY_KEY: &str = "load:0:0";

async fn under_load() -> (Cluster, Service, Traffic) {
    let cluster = Cluster::start(3, 1);
    let service = Service::plain(&cluster.section());
    until_ready(&service, "READY").await;
    let traffic = Traffic::start(Load::on(&service)).await;
    (cluster, service, traffic)
}

#[tokio::test]
async fn a_planned_failover_of_a_cluster_under_load_fails_no_request() {
    let (cluster, _service, traffic) = under_load().await;
    let replica = cluster.replicas(cluster.owner(BUSY_KEY)).start;
    cluster.failover(replica);
    traffic.until_written().await;
    traffic.run_for(Duration::from_secs(1)).await;
    let summary = traffic.finish().await;
    summary.report("a master of a cluster", "CLUSTER FAILOVER").expect_no_failed_read();
    summary.expect_no_failed_write().expect_nothing_lost().expect_stalls_within(BRIEF, BRIEF);
}

#[tokio::test]
async fn a_slot_that_moves_under_load_fails_no_request() {
    let (cluster, _service, traffic) = under_load().await;
    let (slot, owner) = (cluster.slot(BUSY_KEY), cluster.owner(BUSY_KEY));
    let other = (owner + 1) % 3;
    for (from, to) in [(owner, other), (other, owner)] {
        cluster.move_slot(slot, from, to);
        traffic.until_written().await;
        traffic.until_read().await;
    }
    let summary = traffic.finish().await;
    summary.report("a slot of a cluster", "moves to another master and back").expect_no_failed_read();
    summary.expect_no_failed_write().expect_nothing_lost().expect_stalls_within(BRIEF, BRIEF);
}

/// By default the whole cluster refuses even reads while a slot has no master.
#[tokio::test]
async fn a_master_of_a_cluster_that_is_killed_is_followed_by_its_replica() {
    let (cluster, _service, traffic) = under_load().await;
    let owner = cluster.owner(BUSY_KEY);
    cluster.kill(owner);
    cluster.until_master(cluster.replicas(owner).start);
    traffic.until_written().await;
    let summary = traffic.finish().await;
    summary.report("a master of a cluster", "kill -9, its replica takes over");
    summary.expect_reads_failed_only_with(&["shard_unavailable", "deadline_passed"]);
    summary.expect_writes_failed_only_with(&WITHOUT_MASTER).expect_stalls_within(LONG, LONG);
}
