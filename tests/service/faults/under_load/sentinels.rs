//! Failovers by real Sentinels, and Sentinels that fail themselves.

use super::{BRIEF, FAULT, LONG, WITHOUT_MASTER, pause, resume, until_ready};
use crate::harness::{Load, Sentinels, Service, Traffic, redis, redis_section, settled, start};
use cachefront::cli::dev::local_redis::{Group, Layout};

const ALL: [usize; 3] = [0, 1, 2];

async fn watched() -> (Group, Sentinels) {
    let group = redis(1, 2);
    settled(&group).await;
    let sentinels = Sentinels::start(&group).await;
    (group, sentinels)
}

async fn traffic(sections: &str) -> (Service, Traffic) {
    let service = Service::start(sections);
    until_ready(&service, "READY").await;
    let traffic = Traffic::start(Load::on(&service)).await;
    (service, traffic)
}

/// The master dies, and the Sentinels promote a replica.
async fn failover(group: &Group, sentinels: &Sentinels, asked: &[usize], sections: &str, fault: &str) {
    let (service, traffic) = traffic(sections).await;
    let old = group.master(0);
    old.kill();
    let new = sentinels.until_failed_over(asked, "a", &old.address).await;
    assert!(group.replicas(0).iter().any(|replica| replica.address == new), "{new} is no replica");
    traffic.until_written().await;
    until_ready(&service, "DEGRADED").await;
    let figures = traffic.finish().await;
    figures.report("the master", fault).expect_no_failed_read();
    figures.expect_writes_failed_only_with(&WITHOUT_MASTER).expect_stalls_within(BRIEF, LONG);
}

#[tokio::test]
async fn a_failover_by_sentinels_is_followed_by_the_roles_alone() {
    let (group, sentinels) = watched().await;
    failover(&group, &sentinels, &ALL, &redis_section(&group), "kill -9, Sentinels promote a replica").await;
}

#[tokio::test]
async fn two_sentinels_of_three_promote_while_one_is_dead() {
    let (group, sentinels) = watched().await;
    sentinels.nodes()[0].kill();
    failover(&group, &sentinels, &ALL[1..], &redis_section(&group), "kill -9, two of three Sentinels promote").await;
}

#[tokio::test]
async fn two_sentinels_of_three_promote_while_one_hangs() {
    let (group, sentinels) = watched().await;
    pause(&sentinels.nodes()[0]);
    failover(&group, &sentinels, &ALL[1..], &redis_section(&group), "kill -9, one of three Sentinels hangs").await;
}

#[tokio::test]
async fn sentinels_with_a_password_promote() {
    let group = start(&Layout { replicas: 1, password: "a-password".to_owned(), ..Layout::default() });
    let sentinels = Sentinels::start(&group).await;
    let old = group.master(0);
    old.kill();
    let new = sentinels.until_failed_over(&ALL, "a", &old.address).await;
    assert_eq!(new, group.replicas(0)[0].address);
}

#[tokio::test]
#[ignore = "the service does not ask Sentinels yet"]
async fn a_failover_by_sentinels_is_followed_by_a_service_that_asks_them() {
    let (group, sentinels) = watched().await;
    let fault = "kill -9, Sentinels promote a replica and are asked for it";
    failover(&group, &sentinels, &ALL, &sentinels.sections(group.password()), fault).await;
}

#[tokio::test]
#[ignore = "the service does not ask Sentinels yet"]
async fn a_sentinel_that_dies_or_hangs_fails_no_request() {
    let (group, sentinels) = watched().await;
    let (_service, traffic) = traffic(&sentinels.sections(group.password())).await;
    sentinels.nodes()[0].kill();
    traffic.goes_on_for(FAULT).await;
    pause(&sentinels.nodes()[1]);
    traffic.goes_on_for(FAULT).await;
    resume(&sentinels.nodes()[1]);
    sentinels.nodes()[0].start_again().expect("it starts");
    traffic.until_written().await;
    let figures = traffic.finish().await;
    figures.report("Sentinels", "kill -9 of one, then SIGSTOP of another").expect_no_failed_read();
    figures.expect_no_failed_write().expect_nothing_lost().expect_stalls_within(BRIEF, BRIEF);
}
