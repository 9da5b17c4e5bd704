//! Network paths to nodes that lose, cut, refuse or delay data.

use super::{BRIEF, FAULT, LONG, WITHOUT_MASTER, until_ready};
use crate::harness::{Load, Mode, Proxy, Service, Traffic, redis, until_replicated};
use crate::local_redis::RedisGroup;
use std::time::Duration;

/// Long enough that a cut falls into the middle of a value.
const PADDING_BYTES: usize = 300;
/// Room for the handshake of a connection and a few values.
const CUT_AFTER_BYTES: usize = 4000;

/// A master and two replicas, each behind a proxy, and a load.
struct Paths {
    master: Proxy,
    replicas: Vec<Proxy>,
    service: Service,
    traffic: Traffic,
    _group: RedisGroup,
}

async fn paths() -> Paths {
    let group = redis(1, 2);
    until_replicated(&group).await;
    let master = Proxy::in_front_of(&group.master(0).address);
    let replicas: Vec<Proxy> = group.replicas(0).iter().map(|replica| Proxy::in_front_of(&replica.address)).collect();
    let addresses = format!("{}, {}", replicas[0].address, replicas[1].address);
    let service = Service::plain(&format!("[shard:a]\nmaster={}\nreplicas={addresses}\n", master.address));
    until_ready(&service, "READY").await;
    let traffic = Traffic::start(Load { padding_bytes: PADDING_BYTES, ..Load::on(&service) }).await;
    Paths { master, replicas, service, traffic, _group: group }
}

/// Breaks the path to one replica for a while.
async fn replica_path(mode: Mode, fault: &str, read_stall_max: Duration) {
    let Paths { replicas, service, traffic, master: _master, _group } = paths().await;
    replicas[0].set(mode);
    traffic.run_for(FAULT).await;
    replicas[0].set(Mode::Pass);
    until_ready(&service, "READY").await;
    traffic.until_read().await;
    let summary = traffic.finish().await;
    summary.report("the path to a replica", fault).expect_no_failed_read().expect_no_failed_write();
    summary.expect_nothing_lost().expect_stalls_within(read_stall_max, BRIEF);
}

/// Breaks the path to the master for a while.
async fn master_path(mode: Mode, fault: &str) {
    let Paths { master, service, traffic, replicas: _replicas, _group } = paths().await;
    master.set(mode);
    traffic.run_for(FAULT).await;
    master.set(Mode::Pass);
    until_ready(&service, "READY").await;
    traffic.until_written().await;
    let summary = traffic.finish().await;
    summary.report("the path to the master", fault).expect_no_failed_read().expect_nothing_lost();
    summary.expect_writes_failed_only_with(&WITHOUT_MASTER).expect_stalls_within(BRIEF, LONG);
}

#[tokio::test]
async fn a_replica_behind_a_path_that_never_answers_fails_no_request() {
    replica_path(Mode::BlackHole, "accepts and never answers", BRIEF).await;
}

#[tokio::test]
async fn a_replica_behind_a_path_that_cuts_replies_fails_no_request() {
    replica_path(Mode::CutAfter(CUT_AFTER_BYTES), "cuts in the middle of replies", BRIEF).await;
}

#[tokio::test]
async fn a_replica_behind_a_path_that_refuses_fails_no_request() {
    replica_path(Mode::Refuse, "refuses connections", BRIEF).await;
}

#[tokio::test]
async fn a_replica_behind_a_path_that_drips_fails_no_request() {
    replica_path(Mode::Drip(Duration::from_millis(2)), "lets a byte through every 2 ms", BRIEF).await;
}

#[tokio::test]
async fn a_replica_behind_a_slow_path_fails_no_request() {
    // A read that waited for this path would take longer.
    let delay = Duration::from_millis(600);
    replica_path(Mode::Delay(delay), "answers 600 ms late", delay).await;
}

#[tokio::test]
async fn a_master_behind_a_path_that_never_answers_fails_no_read_and_loses_nothing() {
    master_path(Mode::BlackHole, "accepts and never answers").await;
}

#[tokio::test]
async fn a_master_behind_a_path_that_cuts_replies_fails_no_read_and_loses_nothing() {
    master_path(Mode::CutAfter(CUT_AFTER_BYTES), "cuts in the middle of replies").await;
}

#[tokio::test]
async fn a_master_behind_a_path_that_refuses_fails_no_read_and_loses_nothing() {
    master_path(Mode::Refuse, "refuses connections").await;
}

#[tokio::test]
async fn connections_that_are_cut_at_once_are_reopened() {
    let Paths { master, replicas, service, traffic, _group } = paths().await;
    for _ in 0..3 {
        master.cut();
        replicas.iter().for_each(Proxy::cut);
        traffic.run_for(FAULT / 3).await;
    }
    until_ready(&service, "READY").await;
    traffic.until_written().await;
    let summary = traffic.finish().await;
    summary.report("the paths to all nodes", "cut at once, three times").expect_nothing_lost();
    summary.expect_no_failed_read().expect_writes_failed_only_with(&WITHOUT_MASTER).expect_stalls_within(BRIEF, BRIEF);
}
