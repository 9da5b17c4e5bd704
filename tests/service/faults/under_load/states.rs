//! Nodes that run but refuse or delay commands: they load, lag, lack memory, or close connections.

use super::super::expect_ok;
use super::{BRIEF, FAULT, LONG, WITHOUT_MASTER, under_load, until_ready};
use crate::harness::{
    Load, MetricsPage, Mode, Proxy, Service, Traffic, eventually, redis, redis_section, start, until_replicated,
};
use crate::local_redis::{Layout, RedisGroup, RedisProcess};
use std::time::Duration;

/// Arguments of nodes that load their file slowly and answer commands meanwhile.
const SLOW_TO_LOAD: [&str; 6] =
    ["--key-load-delay", "700", "--loading-process-events-interval-bytes", "1024", "--enable-debug-command", "yes"];

async fn slow_to_load(replicas: usize) -> (RedisGroup, Service, Traffic) {
    let arguments = SLOW_TO_LOAD.map(str::to_owned).to_vec();
    let group = start(&Layout { replicas, arguments, ..Layout::default() });
    until_replicated(&group).await;
    let service = Service::plain(&redis_section(&group));
    until_ready(&service, "READY").await;
    let traffic = Traffic::start(Load::on(&service)).await;
    (group, service, traffic)
}

/// Kills a node that has saved its data, starts it again, and waits until it has loaded it.
async fn load_again(node: &RedisProcess) {
    // Keys that take two seconds to load.
    expect_ok(node, "DEBUG POPULATE 3000 filler 200");
    expect_ok(node, "SAVE");
    node.kill();
    node.start_again().expect("it starts");
    assert!(node.ask("GET replicated").expect("an answer").starts_with("-LOADING"), "it has loaded already");
    eventually("it has loaded", async || (node.info("loading")? == "0").then_some(())).await;
}

#[tokio::test]
async fn a_replica_that_is_loading_fails_no_request() {
    let (group, service, traffic) = slow_to_load(2).await;
    load_again(&group.replicas(0)[0]).await;
    until_ready(&service, "READY").await;
    traffic.until_read().await;
    let summary = traffic.finish().await;
    summary.report("a replica", "started again, LOADING for 2 s").expect_no_failed_read().expect_no_failed_write();
    summary.expect_nothing_lost().expect_stalls_within(BRIEF, BRIEF);
}

#[tokio::test]
async fn a_master_that_is_loading_fails_no_read() {
    let (group, service, traffic) = slow_to_load(2).await;
    load_again(group.master(0)).await;
    until_ready(&service, "READY").await;
    traffic.until_written().await;
    let summary = traffic.finish().await;
    // Writes that it acknowledged after the save are lost, because no replica was promoted, but that is reported.
    let page = MetricsPage::of(&service).await;
    let reported = page.sum("cachefront_shard_masters_without_data_total", "shard=\"a\"");
    assert!(summary.lost.is_empty() || reported > 0.0, "writes were lost silently: {summary:?}");
    summary.report("the master", "started again from its file, LOADING for 2 s").expect_no_failed_read();
    summary.expect_writes_failed_only_with(&WITHOUT_MASTER).expect_stalls_within(BRIEF, LONG);
}

#[tokio::test]
async fn a_master_without_memory_fails_writes_and_no_read() {
    let (group, _service, traffic) = under_load(1).await;
    let master = group.master(0);
    expect_ok(master, "CONFIG SET maxmemory-policy noeviction");
    expect_ok(master, "CONFIG SET maxmemory 1");
    traffic.until_failed_with("out_of_memory").await;
    traffic.run_for(FAULT).await;
    expect_ok(master, "CONFIG SET maxmemory 0");
    traffic.until_written().await;
    let summary = traffic.finish().await;
    summary.report("the master", "at maxmemory (OOM)").expect_no_failed_read().expect_nothing_lost();
    summary.expect_writes_failed_only_with(&["out_of_memory"]).expect_stalls_within(BRIEF, LONG);
}

#[tokio::test]
async fn connections_that_every_node_kills_are_reopened() {
    let (group, service, traffic) = under_load(2).await;
    for _ in 0..3 {
        for node in group.replicas(0).iter().chain([group.master(0)]) {
            node.ask("CLIENT KILL TYPE normal SKIPME yes").expect("an answer");
            traffic.run_for(FAULT / 9).await;
        }
    }
    until_ready(&service, "READY").await;
    traffic.until_written().await;
    let summary = traffic.finish().await;
    summary
        .report("all nodes", "CLIENT KILL of every connection, one node after the other, three times")
        .expect_no_failed_read();
    summary.expect_nothing_lost().expect_writes_failed_only_with(&WITHOUT_MASTER).expect_stalls_within(BRIEF, BRIEF);
}

#[tokio::test]
async fn a_replica_that_lags_by_seconds_fails_no_request() {
    let group = redis(1, 0);
    let master = group.master(0);
    let stream = Proxy::in_front_of(&master.address);
    let lagging =
        group.add(&["--replicaof", &stream.address.host, &stream.address.port.to_string()]).expect("a replica");
    master.wait_for_replicas(1).expect("it is online");
    expect_ok(master, "SET replicated yes");
    eventually("a write is replicated", async || (lagging.ask("GET replicated").ok()? == "yes").then_some(())).await;
    let nodes = format!("[shard:a]\nmaster={}\nreplicas={}\n", master.address, lagging.address);
    let service = Service::plain(&nodes);
    until_ready(&service, "READY").await;
    let traffic = Traffic::start(Load { reads_own_writes: true, ..Load::on(&service) }).await;
    stream.set(Mode::Delay(Duration::from_secs(2)));
    traffic.run_for(2 * FAULT).await;
    let offset = |node: &RedisProcess, field: &str| node.info(field).and_then(|offset| offset.parse::<u64>().ok());
    let (behind, ahead) = (offset(&lagging, "slave_repl_offset"), offset(master, "master_repl_offset"));
    assert!(behind < ahead, "it does not lag: {behind:?}, {ahead:?}");
    stream.set(Mode::Pass);
    let summary = traffic.finish().await;
    summary.report("a replica", "2 s behind its master").expect_no_failed_read().expect_no_failed_write();
    summary.expect_nothing_lost().expect_stalls_within(BRIEF, BRIEF);
    assert_eq!(summary.stale, 0, "{summary:?}");
}
