//! A replica that is made to follow the master of other data: it drops its data, and must not be read meanwhile.

#![expect(clippy::print_stderr, reason = "it prints what it measured")]

use super::{expect_ok, follow};
use crate::harness::{Caller, Service, eventually, redis, redis_section, until_replicated};
use crate::local_redis::RedisProcess;
use serde_json::json;
use std::{
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    time::Duration,
};

const READERS: usize = 6;
/// Time for which reads go on after the replica was pointed elsewhere.
const WATCHED: Duration = Duration::from_millis(700);
const ROUNDS: usize = 3;

/// Reads all keys, alone and in batches, until told to stop. Returns the number of reads, and those that did not
/// return the value.
async fn read_all(caller: &Caller, keys: &[String], stop: &AtomicBool) -> (u64, Vec<String>) {
    let (mut reads, mut wrong) = (0, Vec::new());
    while !stop.load(Relaxed) {
        let batch: serde_json::Value = keys.iter().map(|key| json!({"command": "READ", "key": key})).collect();
        for (key, reply) in keys.iter().zip(caller.run(batch).await.as_array().expect("replies")) {
            let alone = caller.send(json!({"command": "READ", "key": key}).to_string()).await.json();
            for reply in [reply, &alone] {
                reads += 1;
                if reply["value"] != *key {
                    wrong.push(format!("{key}: {reply}"));
                }
            }
        }
    }
    (reads, wrong)
}

/// Reads keys while `change` happens to the nodes; every read has to return its value.
async fn every_read_finds_its_value(caller: &Caller, keys: &[String], change: impl AsyncFnOnce()) {
    let stop = AtomicBool::new(false);
    let readers = futures_util::future::join_all((0..READERS).map(|_| read_all(caller, keys, &stop)));
    let changing = async {
        change().await;
        stop.store(true, Relaxed);
    };
    let (results, ()) = futures_util::future::join(readers, changing).await;
    let reads: u64 = results.iter().map(|(reads, _)| reads).sum();
    let wrong: Vec<String> = results.into_iter().flat_map(|(_, wrong)| wrong).collect();
    eprintln!("{reads} reads, {} without their value", wrong.len());
    assert!(wrong.is_empty() && reads > 100, "{} of {reads} reads: {:?}", wrong.len(), &wrong[..wrong.len().min(5)]);
}

fn link_is_up(replica: &RedisProcess) -> bool {
    replica.info("master_link_status").as_deref() == Some("up")
}

async fn a_replica_is_pointed_elsewhere(start: impl Fn(&str) -> Service) {
    let group = redis(1, 2);
    let elsewhere = group.add(&[]).expect("another master");
    expect_ok(&elsewhere, "SET foreign yes");
    until_replicated(&group).await;
    let service = start(&redis_section(&group));
    let caller = service.caller().await;
    let keys: Vec<String> = (0..20).map(|number| format!("k{number}")).collect();
    caller.fill(&keys).await;
    let replica = &group.replicas(0)[0];
    for _ in 0..ROUNDS {
        every_read_finds_its_value(&caller, &keys, async || {
            follow(replica, &elsewhere);
            // Reads have to go on while the data is exchanged and the next probes are made.
            tokio::time::sleep(WATCHED).await;
        })
        .await;
        follow(replica, group.master(0));
        eventually("the replica is back", async || {
            (link_is_up(replica) && replica.ask("GET k0").ok()? == "k0").then_some(())
        })
        .await;
        until_replicated(&group).await;
    }
}

#[tokio::test]
async fn a_replica_that_is_pointed_elsewhere_shows_no_miss() {
    a_replica_is_pointed_elsewhere(Service::plain).await;
}

#[tokio::test]
async fn a_replica_that_is_pointed_elsewhere_shows_no_miss_with_a_near_cache() {
    a_replica_is_pointed_elsewhere(Service::start).await;
}

#[tokio::test]
async fn a_flush_of_the_master_fails_no_read() {
    let group = redis(1, 2);
    until_replicated(&group).await;
    let service = Service::plain(&redis_section(&group));
    let caller = service.caller().await;
    let stop = AtomicBool::new(false);
    let read = async {
        let mut reads = 0_u64;
        while !stop.load(Relaxed) {
            // Panics unless the answer is 200.
            caller.read(&format!("k{}", reads % 20)).await;
            reads += 1;
        }
        reads
    };
    let flush = async {
        for _ in 0..20 {
            expect_ok(group.master(0), "FLUSHALL");
            // The pace of the changes.
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
        stop.store(true, Relaxed);
    };
    let (reads, ()) = futures_util::future::join(read, flush).await;
    assert!(reads > 50, "{reads} reads");
}
