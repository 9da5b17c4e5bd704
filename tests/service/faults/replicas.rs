//! Replicas that die, hang, or have no data.

use super::{pause, resume, until_ready};
use crate::harness::{Service, eventually, redis, redis_section, until_replicated};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

async fn filled(service: &Service, keys: &[String]) -> crate::harness::Caller {
    let caller = service.caller().await;
    until_ready(service, "READY").await;
    caller.fill(keys).await;
    caller
}

fn keys() -> Vec<String> {
    (0..60).map(|number| format!("k{number}")).collect()
}

#[tokio::test]
async fn reads_survive_the_loss_of_one_replica_after_the_other() {
    let group = redis(1, 3);
    let service = Service::plain(&redis_section(&group));
    let keys = keys();
    let caller = filled(&service, &keys).await;
    for replica in group.replicas(0) {
        replica.kill();
        for key in &keys {
            assert_eq!(caller.read(key).await, Some(json!(key)));
        }
        let replies = caller.run(keys.iter().map(|key| json!({"command": "READ", "key": key})).collect()).await;
        for (key, reply) in keys.iter().zip(replies.as_array().expect("replies")) {
            assert_eq!(reply["value"], json!(key));
        }
    }
    until_ready(&service, "DEGRADED").await;
}

#[tokio::test]
async fn a_hanging_replica_costs_no_read_and_is_used_again_afterwards() {
    let group = redis(1, 2);
    let service = Service::plain(&redis_section(&group));
    let keys = keys();
    let caller = filled(&service, &keys).await;
    pause(&group.replicas(0)[0]);
    let mut longest = Duration::ZERO;
    for key in &keys {
        let start = Instant::now();
        assert_eq!(caller.read(key).await, Some(json!(key)));
        longest = longest.max(start.elapsed());
    }
    // One attempt of 250 ms and then another replica; the deadline of a second was not needed.
    assert!(longest < Duration::from_secs(1), "a read took {longest:?}");
    until_ready(&service, "DEGRADED").await;
    resume(&group.replicas(0)[0]);
    until_ready(&service, "READY").await;
    assert_eq!(caller.read("k1").await, Some(json!("k1")));
}

#[tokio::test]
async fn a_replica_that_never_synchronized_is_not_read() {
    let group = redis(1, 1);
    let service = Service::plain(&redis_section(&group));
    let keys = keys();
    let caller = filled(&service, &keys).await;
    // Started again, it is empty, and its master is nowhere: everything would be missing there.
    let replica = &group.replicas(0)[0];
    replica.kill();
    let elsewhere =
        replica.start_again().and_then(|()| replica.ask("REPLICAOF 127.0.0.1 1").map_err(|e| e.to_string()));
    assert_eq!(elsewhere.as_deref(), Ok("+OK"));
    for _ in 0..5 {
        for key in &keys {
            assert_eq!(caller.read(key).await, Some(json!(key)), "an error was reported as a miss");
        }
    }
}

#[tokio::test]
async fn connections_that_redis_closes_are_reopened() {
    let group = redis(1, 2);
    let service = Service::plain(&redis_section(&group));
    let keys = keys();
    let caller = filled(&service, &keys).await;
    for node in group.replicas(0) {
        node.ask("CLIENT KILL TYPE normal SKIPME yes").expect("an answer");
        for key in &keys {
            assert_eq!(caller.read(key).await, Some(json!(key)));
        }
    }
    group.master(0).ask("CLIENT KILL TYPE normal SKIPME yes").expect("an answer");
    eventually("writes work again", async || {
        let answer = caller.send(json!({"command": "WRITE", "key": "after", "value": Value::Null}).to_string()).await;
        (answer.status.as_u16() == 200).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_replica_in_its_first_synchronization_is_not_read() {
    let group = redis(1, 1);
    let service = Service::plain(&redis_section(&group));
    let keys = keys();
    let caller = filled(&service, &keys).await;
    // The master takes its time to send what it has: 60 keys of 20 ms each.
    let slow = group.master(0).ask("CONFIG SET rdb-key-save-delay 20000").expect("an answer");
    assert_eq!(slow, "+OK");
    let replica = &group.replicas(0)[0];
    replica.kill();
    replica.start_again().expect("it starts");
    assert_eq!(replica.info("master_link_status").as_deref(), Some("down"));
    let mut rounds = 0;
    while replica.info("master_link_status").as_deref() == Some("down") {
        for key in &keys {
            assert_eq!(caller.read(key).await, Some(json!(key)), "an error was reported as a miss");
        }
        rounds += 1;
    }
    assert!(rounds > 0, "the synchronisation was over before it could be looked at");
    until_ready(&service, "READY").await;
}

#[tokio::test]
async fn a_pause_of_the_only_node_costs_no_read() {
    let group = redis(1, 0);
    let service = Service::plain(&redis_section(&group));
    let keys = keys();
    let caller = filled(&service, &keys).await;
    // More than one attempt's time and less than the deadline.
    group.master(0).ask("CLIENT PAUSE 400 ALL").expect("an answer");
    let reads = keys.iter().map(|key| caller.read(key));
    for (value, key) in futures_util::future::join_all(reads).await.into_iter().zip(&keys) {
        assert_eq!(value, Some(json!(key)));
    }
}

#[tokio::test]
async fn replicas_serve_reads_without_their_master_until_their_lag_limit() {
    let group = redis(1, 1);
    let service = Service::plain(&format!("[redis]\nreplica_stale_max_ms=1000\n{}", redis_section(&group)));
    let caller = filled(&service, &["k".to_owned()]).await;
    until_replicated(&group).await;
    group.master(0).kill();
    assert_eq!(caller.read("k").await, Some(json!("k")));
    eventually("the replica is out of date", async || {
        let answer = caller.send(json!({"command": "READ", "key": "k"}).to_string()).await;
        (answer.status != 200).then(|| answer.expect_error(503, "shard_unavailable").status)
    })
    .await;
}
