//! A Redis without memory, and a shard without a writable master.

use crate::harness::{Service, redis, redis_section};
use serde_json::json;

#[tokio::test]
async fn redis_out_of_memory_is_507_and_reads_go_on() {
    let group = redis(1, 0);
    let service = Service::plain(&redis_section(&group));
    let caller = service.caller().await;
    caller.write("k", &json!("v")).await;
    for setting in ["CONFIG SET maxmemory-policy noeviction", "CONFIG SET maxmemory 1"] {
        assert_eq!(group.master(0).ask(setting).expect("an answer"), "+OK");
    }
    let answer = caller.send(json!({"command": "WRITE", "key": "k2", "value": "v"}).to_string()).await;
    answer.expect_error(507, "out_of_memory");
    assert_eq!(caller.read("k").await, Some(json!("v")));
    let replies =
        caller.run(json!([{"command": "WRITE", "key": "k2", "value": 1}, {"command": "READ", "key": "k"}])).await;
    // The READ is of a key that the batch does not write, so it is served all the same.
    assert_eq!((&replies[0]["code"], &replies[1]["value"]), (&json!("out_of_memory"), &json!("v")));
}

#[tokio::test]
async fn a_master_that_became_a_replica_refuses_writes_as_unavailable() {
    let group = redis(1, 0);
    let service = Service::plain(&redis_section(&group));
    let caller = service.caller().await;
    caller.write("k", &json!("v")).await;
    assert_eq!(group.master(0).ask("REPLICAOF 127.0.0.1 1").expect("an answer"), "+OK");
    let answer = caller.send(json!({"command": "WRITE", "key": "k", "value": "w"}).to_string()).await;
    answer.expect_error(503, "shard_unavailable");
    assert_eq!(answer.header("retry-after"), "1");
}
