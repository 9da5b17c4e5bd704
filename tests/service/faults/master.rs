//! Masters that die or hang.

use super::{pause, resume, until_ready};
use crate::harness::{Caller, Service, calls, eventually, redis, redis_section, until_replicated};
use crate::local_redis::RedisGroup;
use futures_util::future::join_all;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

#[tokio::test]
async fn without_its_master_a_shard_reads_and_refuses_writes_at_once() {
    let group = redis(2, 1);
    let service = Service::plain(&redis_section(&group));
    until_ready(&service, "READY").await;
    let caller = service.caller().await;
    let keys: Vec<String> = (0..40).map(|number| format!("k{number}")).collect();
    caller.fill(&keys).await;
    until_replicated(&group).await;
    group.master(0).kill();
    until_ready(&service, "DEGRADED").await;

    let (mut refused, mut written) = (0, 0);
    for key in &keys {
        assert_eq!(caller.read(key).await, Some(json!(key)));
        let start = Instant::now();
        let answer = caller.send(json!({"command": "WRITE", "key": key, "value": key}).to_string()).await;
        if answer.status.as_u16() == 200 {
            written += 1;
        } else {
            answer.expect_error(503, "shard_unavailable");
            assert_eq!(answer.header("retry-after"), "1");
            assert!(start.elapsed() < Duration::from_secs(1), "it took {:?}", start.elapsed());
            refused += 1;
        }
    }
    assert!(refused > 0 && written > 0, "{refused} refused and {written} written on two shards");

    group.master(0).start_again().expect("it starts");
    until_ready(&service, "READY").await;
    for key in &keys {
        caller.write(key, &json!("anew")).await;
    }
}

#[tokio::test]
async fn a_batch_over_a_dead_and_a_living_shard_serves_the_living_one() {
    let group = redis(2, 0);
    let service = Service::plain(&redis_section(&group));
    until_ready(&service, "READY").await;
    let caller = service.caller().await;
    group.master(1).kill();
    until_ready(&service, "DEGRADED").await;
    let write = |number: i32| json!({"command": "WRITE", "key": format!("k{number}"), "value": number});
    let replies = caller.run((0..40).map(write).collect()).await;
    let of =
        |status: &str| replies.as_array().expect("replies").iter().filter(|reply| reply["status"] == status).count();
    assert!(of("SUCCESS") > 0 && of("ERROR") > 0 && of("SUCCESS") + of("ERROR") == 40, "{replies}");
}

#[tokio::test]
async fn a_hanging_master_is_abandoned_within_the_deadline_and_used_again_afterwards() {
    let group = redis(1, 1);
    let service = Service::plain_with("REQUEST_DEADLINE_MS=300", &redis_section(&group));
    until_ready(&service, "READY").await;
    let caller = service.caller().await;
    // A replica that has just joined may still wait for its first changes, and it alone answers later.
    let confirmed = json!({"command": "WRITE", "key": "k", "value": 1, "replicas": 1});
    eventually("the replica has the value", async || {
        (caller.run(confirmed.clone()).await["status"] == "SUCCESS").then_some(())
    })
    .await;
    pause(group.master(0));
    let write = json!({"command": "WRITE", "key": "k", "value": 2}).to_string();
    // The first writes time out; after a few of them all writes are refused at once.
    let start = Instant::now();
    caller.send(write.clone()).await.expect_error(504, "deadline_passed");
    assert!(start.elapsed() < Duration::from_secs(2), "it took {:?}", start.elapsed());
    eventually("the master is given up", async || {
        let answer = caller.send(write.clone()).await;
        assert!(answer.header("retry-after") == "1", "{answer:?}");
        (answer.status.as_u16() == 503).then_some(())
    })
    .await;
    assert_eq!(caller.read("k").await, Some(json!(1)));
    resume(group.master(0));
    eventually("writes work again", async || (caller.send(write.clone()).await.status.as_u16() == 200).then_some(()))
        .await;
}

/// A master with two replicas that no regular probe asks how far they are, and a service in front of them.
async fn rarely_probed() -> (RedisGroup, Service, Caller) {
    let group = redis(1, 2);
    until_replicated(&group).await;
    let service = Service::plain(&format!("[redis]\nprobe_every_ms=60000\n{}", redis_section(&group)));
    until_ready(&service, "READY").await;
    let caller = service.caller().await;
    (group, service, caller)
}

/// Reads all keys at once while the master hangs. Returns their values; asserts that no read waited for the master.
async fn read_without_master(group: &RedisGroup, caller: &Caller, keys: &[String]) -> Vec<Option<Value>> {
    pause(group.master(0));
    let start = Instant::now();
    let values = join_all(keys.iter().map(|key| caller.read(key))).await;
    let took = start.elapsed();
    resume(group.master(0));
    // Three attempt timeouts pass before a node counts as hung.
    assert!(took < Duration::from_millis(400), "the reads took {took:?}");
    values
}

#[tokio::test]
async fn a_changed_key_is_read_from_a_replica_whose_offset_covers_the_change_while_the_master_hangs() {
    let (group, _service, caller) = rarely_probed().await;
    // The value itself is too long to prove the change.
    let long = "x".repeat(20_000);
    // The questions of the first moments must not be taken for the one after the change.
    for (key, value) in [("other", "old"), ("k", &*long)] {
        let asked = calls(group.master(0), "info");
        caller.write(key, &json!(value)).await;
        let mut own = 0;
        eventually("the master was asked for its offset", async || {
            // Each look at this count is such a question, too.
            own += 1;
            (calls(group.master(0), "info") > asked + own).then_some(())
        })
        .await;
    }
    for replica in group.replicas(0) {
        eventually("the replica has it", async || (replica.ask("STRLEN k").ok()? == ":20000").then_some(())).await;
    }
    assert_eq!(read_without_master(&group, &caller, &["k".to_owned()]).await, [Some(json!(long))]);
}

#[tokio::test]
async fn a_key_that_was_changed_right_before_its_master_hangs_is_read_from_a_replica_with_its_value() {
    let (group, _service, caller) = rarely_probed().await;
    let keys: Vec<String> = (0..6).map(|number| format!("k{number}")).collect();
    caller.fill(&keys).await;
    caller.run(json!({"command": "DELETE", "key": "k0"})).await;
    for key in &keys[1..] {
        caller.write(key, &json!("new")).await;
    }
    let values = read_without_master(&group, &caller, &keys).await;
    assert_eq!(values[0], None);
    assert!(values[1..].iter().all(|value| *value == Some(json!("new"))), "{values:?}");
}

#[tokio::test]
async fn an_unresponsive_shard_delays_no_other_shard_of_a_batch() {
    let group = redis(1, 0);
    // The kernel accepts connections for it, and it never answers.
    let mute = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = mute.local_addr().expect("an address");
    let sections =
        format!("[redis]\nconnect_timeout_ms=5000\n{}[shard:mute]\nmaster={address}\n", redis_section(&group));
    let service = Service::plain(&sections);
    let caller = service.caller().await;
    eventually("the living shard is connected", async || {
        let answers = caller.run((0..20).map(|n| json!({"command": "READ", "key": format!("k{n}")})).collect()).await;
        answers.as_array()?.iter().any(|answer| answer["status"] == "NOT_FOUND").then_some(())
    })
    .await;
    let write = |number: i32| json!({"command": "WRITE", "key": format!("k{number}"), "value": number});
    let batches = (0..4).map(|_| caller.run((0..40).map(write).collect()));
    for replies in join_all(batches).await {
        let replies = replies.as_array().expect("replies").clone();
        let written = replies.iter().filter(|reply| reply["status"] == "SUCCESS").count();
        let refused = replies.iter().filter(|reply| reply["code"] == "shard_unavailable").count();
        assert!(written > 0 && refused > 0 && written + refused == 40, "{replies:?}");
    }
}
