//! Promotions: the service follows the roles that nodes report, no matter who promoted them.

use super::{expect_ok, follow, until_ready};
use crate::harness::{Answer, Caller, Service, eventually, redis, redis_section};
use crate::local_redis::RedisGroup;
use serde_json::json;

async fn service(group: &RedisGroup) -> (Service, Caller) {
    let service = Service::plain(&redis_section(group));
    until_ready(&service, "READY").await;
    let caller = service.caller().await;
    caller.write("before", &json!("v")).await;
    // On every replica, because any of them may be promoted.
    for replica in group.replicas(0) {
        eventually("the value is replicated", async || (replica.ask("GET before").ok()? == "v").then_some(())).await;
    }
    (service, caller)
}

async fn until_written(caller: &Caller, key: &str) {
    let write = json!({"command": "WRITE", "key": key, "value": "v"}).to_string();
    eventually("the new master is written to", async || {
        let answer = caller.send(write.clone()).await;
        if answer.status.as_u16() != 200 {
            // The first write may have been in flight when the master died.
            assert_eq!((answer.status.as_u16(), answer.header("retry-after")), (503, "1"), "{answer:?}");
            return None;
        }
        Some(())
    })
    .await;
}

#[tokio::test]
async fn writes_go_to_the_replica_that_was_promoted_for_a_dead_master() {
    let group = redis(1, 2);
    let (service, caller) = service(&group).await;
    let [successor, other] = group.replicas(0) else { panic!("two replicas") };
    group.master(0).kill();
    expect_ok(successor, "REPLICAOF NO ONE");
    follow(other, successor);
    until_written(&caller, "after").await;
    assert_eq!(successor.ask("GET after").expect("an answer"), "v");
    caller.until_read("after", Some(&json!("v"))).await;
    assert_eq!(caller.read("before").await, Some(json!("v")));

    // The old master returns empty and reports to be a master: it is not used until it is a replica.
    group.master(0).start_again().expect("it starts");
    for round in 0..20 {
        caller.write(&format!("later:{round}"), &json!("v")).await;
        caller.until_read(&format!("later:{round}"), Some(&json!("v"))).await;
        assert_eq!(caller.read("before").await, Some(json!("v")), "an error was reported as a miss");
    }
    assert_eq!(group.master(0).ask("DBSIZE").expect("an answer"), ":0");
    follow(group.master(0), successor);
    until_ready(&service, "READY").await;
}

/// The regular probes come later than this test ends: while the master is lost, its replicas are probed more often.
#[tokio::test]
async fn a_promotion_is_noticed_long_before_the_next_regular_probe() {
    let group = redis(1, 1);
    let service = Service::plain(&format!("[redis]\nprobe_every_ms=60000\n{}", redis_section(&group)));
    until_ready(&service, "READY").await;
    let caller = service.caller().await;
    caller.write("before", &json!("v")).await;
    let successor = &group.replicas(0)[0];
    eventually("the value is replicated", async || (successor.ask("GET before").ok()? == "v").then_some(())).await;
    group.master(0).kill();
    eventually("the loss is noticed", async || {
        let write = json!({"command": "WRITE", "key": "lost", "value": "v"});
        (caller.send(write.to_string()).await.status == 503).then_some(())
    })
    .await;
    expect_ok(successor, "REPLICAOF NO ONE");
    until_written(&caller, "after").await;
    assert_eq!(successor.ask("GET after").expect("an answer"), "v");
}

#[tokio::test]
async fn a_planned_switch_fails_no_write() {
    let group = redis(1, 1);
    let (_service, caller) = service(&group).await;
    let (old, new) = (group.master(0), &group.replicas(0)[0]);
    expect_ok(new, "REPLICAOF NO ONE");
    follow(old, new);
    // The first one is refused by the old master, which cannot be written to any more, and goes to the new one.
    for round in 0..20 {
        caller.write(&format!("k{round}"), &json!(round)).await;
        let batch = json!([{"command": "WRITE", "key": "b", "value": round}, {"command": "READ", "key": "b"}]);
        assert_eq!(caller.run(batch).await[1]["value"], json!(round));
    }
    assert_eq!(new.ask("DBSIZE").expect("an answer"), ":22");
}

#[tokio::test]
async fn an_instance_that_starts_after_the_promotion_finds_the_master() {
    let group = redis(1, 2);
    let [successor, other] = group.replicas(0) else { panic!("two replicas") };
    group.master(0).kill();
    expect_ok(successor, "REPLICAOF NO ONE");
    follow(other, successor);
    group.master(0).start_again().expect("it starts");
    let service = Service::plain(&redis_section(&group));
    let caller = service.caller().await;
    // The old master may be reached first and taken for what the file says, for as long as the successor is unknown.
    eventually("writes reach the promoted node", async || {
        caller.write("k", &json!("v")).await;
        (successor.ask("GET k").expect("an answer") == "v").then_some(())
    })
    .await;
}

#[tokio::test]
async fn an_instance_that_starts_later_agrees_though_no_replica_follows_the_new_master() {
    let group = redis(1, 1);
    let (_first, first) = service(&group).await;
    let successor = &group.replicas(0)[0];
    group.master(0).kill();
    expect_ok(successor, "REPLICAOF NO ONE");
    until_written(&first, "after").await;
    // Empty and without replicas, it reports to be a master.
    group.master(0).start_again().expect("it starts");
    let second = Service::plain(&redis_section(&group));
    until_ready(&second, "DEGRADED").await;
    let second = second.caller().await;
    eventually("the second instance finds the promoted node", async || second.read("after").await.map(|_| ())).await;
    second.write("from-second", &json!("v")).await;
    assert_eq!(first.read("from-second").await, Some(json!("v")));
    assert_eq!(group.master(0).ask("DBSIZE").expect("an answer"), ":0");
}

#[tokio::test]
async fn a_node_of_another_history_is_neither_written_nor_read() {
    let (group, other) = (redis(1, 1), redis(1, 0));
    let (master, replica, stranger) = (group.master(0), &group.replicas(0)[0], other.master(0));
    let nodes = format!("master={}\nreplicas={}, {}", master.address, stranger.address, replica.address);
    let service = Service::plain(&format!("[shard:a]\n{nodes}\n"));
    let caller = service.caller().await;
    for round in 0..20 {
        let key = format!("k{round}");
        caller.write(&key, &json!("v")).await;
        caller.until_read(&key, Some(&json!("v"))).await;
    }
    assert_eq!(stranger.ask("DBSIZE").expect("an answer"), ":0");
}

#[tokio::test]
async fn a_batch_reads_its_own_write_during_a_switch() {
    let group = redis(1, 1);
    let (_service, caller) = service(&group).await;
    let (mut old, mut new) = (group.master(0), &group.replicas(0)[0]);
    for round in 0..4 {
        caller.write("k", &json!("old")).await;
        eventually("the value is replicated", async || (new.ask("GET k").ok()? == "old").then_some(())).await;
        expect_ok(new, "REPLICAOF NO ONE");
        follow(old, new);
        let batch = json!([{"command": "WRITE", "key": "k", "value": round}, {"command": "READ", "key": "k"}]);
        let replies = caller.run(batch).await;
        assert_eq!((&replies[0]["status"], &replies[1]["value"]), (&json!("SUCCESS"), &json!(round)), "{replies}");
        std::mem::swap(&mut old, &mut new);
        eventually("the demoted node follows", async || (old.info("connected_slaves")? == "1").then_some(())).await;
    }
}

#[tokio::test]
async fn two_masters_at_once_are_reported_and_writes_go_to_the_promoted_one() {
    let group = redis(1, 1);
    let (service, caller) = service(&group).await;
    let successor = &group.replicas(0)[0];
    // The old master still reports to be a master.
    expect_ok(successor, "REPLICAOF NO ONE");
    let http = Caller::plain_http();
    eventually("/readyz reports two masters", async || {
        let ready = Answer::of(http.get(format!("http://{}/readyz", service.admin))).await;
        ready.text.contains("shard \\\"a\\\": two nodes call themselves master").then_some(())
    })
    .await;
    caller.write("after", &json!("v")).await;
    assert_eq!(successor.ask("GET after").expect("an answer"), "v");
    follow(group.master(0), successor);
    until_ready(&service, "READY").await;
}
