//! Instances of the service that die or hang, while their callers use another one.

use super::super::{signal, until_ready_at};
use super::{BRIEF, FAULT};
use crate::harness::{Instance, Load, Traffic, redis, redis_section, until_replicated};
use crate::local_redis::RedisGroup;
use std::time::Duration;

/// Time that a caller waits for an answer, which is longer than the deadline of the service.
const CALL_TIMEOUT: Duration = Duration::from_millis(1500);
const LONGEST: Duration = Duration::from_secs(6);

async fn two_instances() -> (RedisGroup, [Instance; 2], Traffic) {
    let group = redis(1, 1);
    until_replicated(&group).await;
    let sections = redis_section(&group);
    let instances = [Instance::start(&group, &sections).await, Instance::start(&group, &sections).await];
    for instance in &instances {
        until_ready_at(instance.admin_port, "READY").await;
    }
    let urls = instances.iter().map(Instance::url);
    let traffic = Traffic::start(Load { timeout: CALL_TIMEOUT, ..Load::on_all(urls) }).await;
    (group, instances, traffic)
}

#[tokio::test]
async fn callers_of_an_instance_that_is_killed_go_to_the_other_one() {
    let (_group, [first, mut second], traffic) = two_instances().await;
    second.kill();
    traffic.run_for(FAULT).await;
    traffic.until_written().await;
    let summary = traffic.finish().await;
    summary.report("one of two instances", "kill -9").expect_no_failed_read().expect_nothing_lost();
    // Only the requests in flight fail; no caller fails twice.
    summary.expect_writes_failed_only_with(&["no_answer", "no_connection"]).expect_stalls_within(BRIEF, BRIEF);
    assert!(summary.moved > 0 && summary.writes_failed.values().sum::<u64>() <= 2, "{summary:?}");
    drop(first);
}

#[tokio::test]
async fn callers_of_an_instance_that_hangs_go_to_the_other_one() {
    let (_group, [first, second], traffic) = two_instances().await;
    signal("-STOP", second.process_id());
    traffic.run_for(CALL_TIMEOUT + FAULT).await;
    // The instance may still do what was sent before it was stopped.
    signal("-CONT", second.process_id());
    until_ready_at(second.admin_port, "READY").await;
    traffic.until_written().await;
    let summary = traffic.finish().await;
    summary.report("one of two instances", "SIGSTOP").expect_no_failed_read().expect_nothing_lost();
    summary.expect_writes_failed_only_with(&["no_answer", "no_connection"]).expect_stalls_within(LONGEST, LONGEST);
    assert!(summary.moved > 0 && summary.writes_failed.values().sum::<u64>() <= 2, "{summary:?}");
    drop(first);
}
