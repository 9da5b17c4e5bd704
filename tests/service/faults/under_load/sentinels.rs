//! Failovers by real Sentinels, and Sentinels that fail themselves.

#![expect(clippy::print_stderr, reason = "it prints what it measured")]

use super::{BRIEF, FAULT, WITHOUT_MASTER, until_ready};
use crate::harness::{Load, Sentinels, Service, Traffic, eventually, redis, redis_section, until_replicated};
use crate::local_redis::RedisGroup;
use std::time::{Duration, Instant};

const ALL: [usize; 3] = [0, 1, 2];

/// Time in which the service follows a promotion, and what a busy machine adds; it was measured to take 0.02 to 0.16 s.
const FOLLOWED: Duration = Duration::from_millis(400);

async fn watched() -> (RedisGroup, Sentinels) {
    let group = redis(1, 2);
    until_replicated(&group).await;
    let sentinels = Sentinels::start(&group, 2);
    (group, sentinels)
}

async fn traffic(sections: &str) -> (Service, Traffic) {
    let service = Service::plain(sections);
    until_ready(&service, "READY").await;
    let traffic = Traffic::start(Load::on(&service)).await;
    (service, traffic)
}

/// The master dies, and the Sentinels promote a replica.
async fn failover(group: &RedisGroup, sentinels: &Sentinels, asked: &[usize], sections: &str, fault: &str) {
    let (service, traffic) = traffic(sections).await;
    let old = group.master(0);
    old.kill();
    let killed = Instant::now();
    eventually("a replica is told to be the master", async || {
        group.replicas(0).iter().find(|replica| replica.info("role").as_deref() == Some("master"))
    })
    .await;
    let by_sentinels = killed.elapsed();
    let new = sentinels.until_failed_over(asked, 0, &old.address).await;
    assert!(group.replicas(0).iter().any(|replica| replica.address == new), "{new} is no replica");
    traffic.until_written().await;
    until_ready(&service, "DEGRADED").await;
    let summary = traffic.finish().await;
    summary.report("the master", fault).expect_no_failed_read();
    summary.expect_writes_failed_only_with(&WITHOUT_MASTER).expect_stalls_within(BRIEF, by_sentinels + FOLLOWED);
    eprintln!("writes out {:?}, of which the Sentinels took {by_sentinels:?}", summary.write_stall);
}

#[tokio::test]
async fn a_failover_by_sentinels_is_followed_by_the_roles_alone() {
    let (group, sentinels) = watched().await;
    failover(&group, &sentinels, &ALL, &redis_section(&group), "kill -9, Sentinels promote a replica").await;
}

#[tokio::test]
async fn two_sentinels_of_three_promote_while_one_is_dead() {
    let (group, sentinels) = watched().await;
    sentinels.kill(0);
    failover(&group, &sentinels, &ALL[1..], &redis_section(&group), "kill -9, two of three Sentinels promote").await;
}

#[tokio::test]
async fn two_sentinels_of_three_promote_while_one_hangs() {
    let (group, sentinels) = watched().await;
    sentinels.pause(0);
    failover(&group, &sentinels, &ALL[1..], &redis_section(&group), "kill -9, one of three Sentinels hangs").await;
}

#[tokio::test]
async fn a_failover_by_sentinels_is_followed_by_a_service_that_asks_them() {
    let (group, sentinels) = watched().await;
    let fault = "kill -9, Sentinels promote a replica and are asked for it";
    failover(&group, &sentinels, &ALL, &sentinels.section(), fault).await;
}

#[tokio::test]
async fn a_sentinel_that_dies_or_hangs_fails_no_request() {
    let (_group, sentinels) = watched().await;
    let (_service, traffic) = traffic(&sentinels.section()).await;
    sentinels.kill(0);
    traffic.run_for(FAULT).await;
    sentinels.pause(1);
    traffic.run_for(FAULT).await;
    sentinels.resume(1);
    sentinels.start_again(0);
    traffic.until_written().await;
    let summary = traffic.finish().await;
    summary.report("Sentinels", "kill -9 of one, then SIGSTOP of another").expect_no_failed_read();
    summary.expect_no_failed_write().expect_nothing_lost().expect_stalls_within(BRIEF, BRIEF);
}
