//! Replicas that die or hang while they are read.

use super::{BRIEF, FAULT, pause, resume, under_load, until_ready};
use crate::local_redis::RedisProcess;

#[tokio::test]
async fn a_replica_that_is_killed_fails_no_request() {
    let (group, service, traffic) = under_load(2).await;
    let replica = &group.replicas(0)[0];
    replica.kill();
    traffic.run_for(FAULT).await;
    replica.start_again().expect("it starts");
    until_ready(&service, "READY").await;
    traffic.until_read().await;
    let summary = traffic.finish().await;
    summary.report("a replica", "kill -9").expect_no_failed_read().expect_no_failed_write();
    summary.expect_nothing_lost().expect_stalls_within(BRIEF, BRIEF);
}

#[tokio::test]
async fn a_replica_that_hangs_fails_no_request() {
    let (group, service, traffic) = under_load(2).await;
    let replica = &group.replicas(0)[0];
    pause(replica);
    traffic.run_for(FAULT).await;
    resume(replica);
    until_ready(&service, "READY").await;
    traffic.until_read().await;
    let summary = traffic.finish().await;
    summary.report("a replica", "SIGSTOP").expect_no_failed_read().expect_no_failed_write();
    summary.expect_nothing_lost().expect_stalls_within(BRIEF, BRIEF);
}

#[tokio::test]
async fn the_master_is_read_while_all_replicas_are_killed() {
    let (group, service, traffic) = under_load(3).await;
    group.replicas(0).iter().for_each(RedisProcess::kill);
    traffic.run_for(FAULT).await;
    for replica in group.replicas(0) {
        replica.start_again().expect("it starts");
    }
    until_ready(&service, "READY").await;
    traffic.until_read().await;
    let summary = traffic.finish().await;
    summary.report("all replicas", "kill -9").expect_no_failed_read().expect_no_failed_write();
    summary.expect_nothing_lost().expect_stalls_within(BRIEF, BRIEF);
}

#[tokio::test]
async fn the_master_is_read_while_all_replicas_hang() {
    let (group, service, traffic) = under_load(3).await;
    group.replicas(0).iter().for_each(pause);
    traffic.run_for(FAULT).await;
    group.replicas(0).iter().for_each(resume);
    until_ready(&service, "READY").await;
    traffic.until_read().await;
    let summary = traffic.finish().await;
    summary.report("all replicas", "SIGSTOP").expect_no_failed_read().expect_no_failed_write();
    summary.expect_nothing_lost().expect_stalls_within(BRIEF, BRIEF);
}
