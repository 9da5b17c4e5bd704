//! Masters that die or hang while they are written, and what takes their place.

use super::super::follow;
use super::{BRIEF, FAULT, LONG, pause, promote, resume, under_load, until_ready};

/// What writes may fail with while there is no master.
const WITHOUT_MASTER: [&str; 3] = ["shard_unavailable", "write_unconfirmed", "deadline_passed"];

#[tokio::test]
async fn a_master_that_is_killed_fails_writes_until_a_replica_is_promoted() {
    let (group, service, traffic) = under_load(2).await;
    let [heir, other] = group.replicas(0) else { panic!("two replicas") };
    group.master(0).kill();
    traffic.goes_on_for(FAULT).await;
    promote(heir, &[other]);
    traffic.until_written().await;
    group.master(0).start_again().expect("it starts");
    follow(group.master(0), heir);
    until_ready(&service, "READY").await;
    let figures = traffic.finish().await;
    figures.report("the master", "kill -9, a replica promoted 1.5 s later").expect_no_failed_read();
    figures.expect_writes_failed_only_with(&WITHOUT_MASTER).expect_stalls_within(BRIEF, LONG);
}

#[tokio::test]
async fn a_master_that_hangs_fails_writes_until_a_replica_is_promoted() {
    let (group, service, traffic) = under_load(2).await;
    let [heir, other] = group.replicas(0) else { panic!("two replicas") };
    pause(group.master(0));
    traffic.goes_on_for(FAULT).await;
    promote(heir, &[other]);
    traffic.until_written().await;
    // It comes back sure of itself, with what it was sent before.
    resume(group.master(0));
    traffic.until_written().await;
    follow(group.master(0), heir);
    until_ready(&service, "READY").await;
    let figures = traffic.finish().await;
    figures.report("the master", "SIGSTOP, a replica promoted 1.5 s later").expect_no_failed_read();
    figures.expect_writes_failed_only_with(&WITHOUT_MASTER).expect_stalls_within(BRIEF, LONG);
}

#[tokio::test]
async fn a_planned_switch_fails_no_request() {
    let (group, service, traffic) = under_load(2).await;
    let [heir, other] = group.replicas(0) else { panic!("two replicas") };
    promote(heir, &[group.master(0), other]);
    traffic.until_written().await;
    until_ready(&service, "READY").await;
    traffic.goes_on_for(FAULT).await;
    let figures = traffic.finish().await;
    figures.report("the master", "becomes a replica (READONLY), another one is promoted").expect_no_failed_read();
    figures.expect_no_failed_write().expect_stalls_within(BRIEF, BRIEF);
}
