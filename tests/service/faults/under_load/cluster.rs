//! Failovers and slot moves of a real Redis Cluster under a load.

use super::{BRIEF, LONG, WITHOUT_MASTER, until_ready};
use crate::harness::{Cluster, Load, LoadSummary, Service, Traffic};
use std::time::Duration;

/// A key that the readers and writers of the load use all the time.
const BUSY_KEY: &str = "load:0:0";
/// Reads that the readers of the load have in flight at the same time, and those in the batches of its writers.
const READS_AT_ONCE: u64 = 8;

async fn under_load() -> (Cluster, Service, Traffic) {
    under_load_with(&[], "").await
}

/// Starts a cluster whose nodes have further arguments, and a service with more options of the `[service]` section.
async fn under_load_with(arguments: &[&str], options: &str) -> (Cluster, Service, Traffic) {
    let cluster = Cluster::start_with(3, 1, "", arguments);
    let service = Service::plain_with(options, &cluster.section());
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

/// Ends the master of a busy key at once, and waits until its replica has taken over and all callers write again.
async fn kill_a_master(cluster: &Cluster, traffic: Traffic) -> LoadSummary {
    let owner = cluster.owner(BUSY_KEY);
    cluster.kill(owner);
    cluster.until_master(cluster.replicas(owner).start);
    traffic.until_written().await;
    traffic.finish().await
}

/// By default the whole cluster refuses even reads until a replica has taken over, which is 0.5 to 1.2 s. Reads wait that
/// long, but not longer than their deadline of 1 s: each caller may have one that is too early.
#[tokio::test]
async fn a_master_of_a_cluster_that_is_killed_is_followed_by_its_replica() {
    let (cluster, _service, traffic) = under_load().await;
    let summary = kill_a_master(&cluster, traffic).await;
    summary.report("a master of a cluster", "kill -9, its replica takes over");
    summary.expect_reads_failed_only_with(&["shard_unavailable", "deadline_passed"]);
    summary.expect_writes_failed_only_with(&WITHOUT_MASTER).expect_stalls_within(LONG, LONG);
    assert!(summary.reads_failed.values().sum::<u64>() <= READS_AT_ONCE, "{summary:?}");
}

#[tokio::test]
async fn a_killed_master_of_a_cluster_fails_no_read_whose_deadline_is_long_enough() {
    let (cluster, _service, traffic) = under_load_with(&[], "REQUEST_DEADLINE_MS=2500").await;
    let summary = kill_a_master(&cluster, traffic).await;
    summary.report("a master of a cluster", "kill -9, its replica takes over; requests may take 2.5 s");
    summary.expect_no_failed_read();
    summary.expect_writes_failed_only_with(&WITHOUT_MASTER).expect_stalls_within(BRIEF, LONG);
}

#[tokio::test]
async fn a_killed_master_fails_no_read_in_a_cluster_that_allows_reads_when_it_is_down() {
    let arguments = ["--cluster-require-full-coverage", "no", "--cluster-allow-reads-when-down", "yes"];
    let (cluster, _service, traffic) = under_load_with(&arguments, "").await;
    let summary = kill_a_master(&cluster, traffic).await;
    summary.report("a master of a cluster", "kill -9; cluster-allow-reads-when-down, no full coverage required");
    summary.expect_no_failed_read();
    summary.expect_writes_failed_only_with(&WITHOUT_MASTER).expect_stalls_within(BRIEF, LONG);
}
