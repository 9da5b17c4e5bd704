//! Masters that die or hang under writes, and their successors.

use super::super::{expect_ok, follow};
use super::{BRIEF, FAULT, LONG, WITHOUT_MASTER, pause, promote, resume, under_load, until_ready};
use crate::harness::{Load, Mode, Proxy, Service, Traffic, eventually, redis};
use crate::local_redis::{RedisGroup, RedisProcess};

#[tokio::test]
async fn a_master_that_is_killed_fails_writes_until_a_replica_is_promoted() {
    let (group, service, traffic) = under_load(2).await;
    let [successor, other] = group.replicas(0) else { panic!("two replicas") };
    group.master(0).kill();
    traffic.run_for(FAULT).await;
    promote(successor, &[other]);
    traffic.until_written().await;
    group.master(0).start_again().expect("it starts");
    follow(group.master(0), successor);
    until_ready(&service, "READY").await;
    let summary = traffic.finish().await;
    summary.report("the master", "kill -9, a replica promoted 1.5 s later").expect_no_failed_read();
    summary.expect_writes_failed_only_with(&WITHOUT_MASTER).expect_stalls_within(BRIEF, LONG);
}

#[tokio::test]
async fn a_master_that_hangs_fails_writes_until_a_replica_is_promoted() {
    let (group, service, traffic) = under_load(2).await;
    let [successor, other] = group.replicas(0) else { panic!("two replicas") };
    pause(group.master(0));
    traffic.run_for(FAULT).await;
    promote(successor, &[other]);
    traffic.until_written().await;
    // The old master resumes, reports to be a master, and has received earlier commands.
    resume(group.master(0));
    traffic.until_written().await;
    follow(group.master(0), successor);
    until_ready(&service, "READY").await;
    let summary = traffic.finish().await;
    summary.report("the master", "SIGSTOP, a replica promoted 1.5 s later").expect_no_failed_read();
    summary.expect_writes_failed_only_with(&WITHOUT_MASTER).expect_stalls_within(BRIEF, LONG);
}

#[tokio::test]
async fn a_planned_switch_fails_no_request() {
    let (group, service, traffic) = under_load(2).await;
    let [successor, other] = group.replicas(0) else { panic!("two replicas") };
    promote(successor, &[group.master(0), other]);
    traffic.until_written().await;
    until_ready(&service, "READY").await;
    traffic.run_for(FAULT).await;
    let summary = traffic.finish().await;
    summary.report("the master", "becomes a replica (READONLY), another one is promoted").expect_no_failed_read();
    summary.expect_no_failed_write().expect_stalls_within(BRIEF, BRIEF);
}

/// A master with two replicas that follow it through proxies.
async fn with_paths_to_replicas() -> (RedisGroup, [(RedisProcess, Proxy); 2]) {
    let group = redis(1, 0);
    let master = group.master(0);
    let replicas = [(); 2].map(|()| {
        let path = Proxy::in_front_of(&master.address);
        let port = path.address.port.to_string();
        (group.add(&["--replicaof", &path.address.host, &port]).expect("a replica"), path)
    });
    master.wait_for_replicas(2).expect("they are online");
    expect_ok(master, "SET replicated yes");
    for (replica, _) in &replicas {
        eventually("a write is replicated", async || (replica.ask("GET replicated").ok()? == "yes").then_some(()))
            .await;
    }
    (group, replicas)
}

#[tokio::test]
async fn writes_acknowledged_with_a_replica_survive_a_failover() {
    let (group, [(successor, successor_path), (other, other_path)]) = with_paths_to_replicas().await;
    let nodes = format!("master={}\nreplicas={}, {}", group.master(0).address, successor.address, other.address);
    let service = Service::plain(&format!("[shard:a]\n{nodes}\n"));
    until_ready(&service, "READY").await;
    let traffic = Traffic::start(Load { replicas: Some(1), ..Load::on(&service) }).await;
    // First only the successor receives writes from the master, and then no replica does: the successor alone has the
    // writes that are acknowledged now.
    other_path.set(Mode::BlackHole);
    traffic.run_for(FAULT / 2).await;
    successor_path.set(Mode::BlackHole);
    traffic.run_for(FAULT / 2).await;
    group.master(0).kill();
    successor_path.cut();
    other_path.cut();
    promote(&successor, &[&other]);
    traffic.until_written().await;
    let summary = traffic.finish().await;
    summary.report("the master", "cut off from its replicas, then killed; WRITE with \"replicas\": 1");
    summary.expect_no_failed_read().expect_nothing_lost();
}
