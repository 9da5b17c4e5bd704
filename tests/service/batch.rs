//! Arrays of commands.

use crate::faults::{promote, until_ready};
use crate::harness::{MetricsPage, Service, eventually, redis, redis_section, until_replicated};
use serde_json::{Value, json};

#[tokio::test]
async fn every_item_of_a_batch_has_its_own_reply_in_order() {
    let (_redis, service) = Service::with_own_redis();
    let caller = service.caller().await;
    let replies = caller
        .run(json!([
            {"command": "WRITE", "key": "batch:a", "value": 1},
            {"command": "READ", "key": "batch:missing"},
            {"command": "NONSENSE"},
            "not an object",
            {"command": "WRITE", "key": "", "value": 1},
            {"command": "READ", "key": "batch:a"},
            {"command": "DELETE", "key": "batch:a"},
        ]))
        .await;
    let seen: Vec<_> =
        replies.as_array().expect("replies").iter().map(|reply| (&reply["status"], &reply["code"])).collect();
    let expected = [
        (json!("SUCCESS"), Value::Null),
        (json!("NOT_FOUND"), Value::Null),
        (json!("ERROR"), json!("unknown_command")),
        (json!("ERROR"), json!("invalid_command")),
        (json!("ERROR"), json!("invalid_key")),
        (json!("SUCCESS"), Value::Null),
        (json!("SUCCESS"), Value::Null),
    ];
    assert_eq!(seen, expected.iter().map(|(status, code)| (status, code)).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_batch_sees_its_own_changes_in_order() {
    let (_redis, service) = Service::with_own_redis();
    let caller = service.caller().await;
    let (read, delete) =
        (json!({"command": "READ", "key": "batch:own"}), json!({"command": "DELETE", "key": "batch:own"}));
    for round in 0..50 {
        let write = |value: Value| json!({"command": "WRITE", "key": "batch:own", "value": value});
        let replies =
            caller.run(json!([delete, read, write(json!(round)), read, write(json!("x")), read, delete, read])).await;
        let seen: Vec<&Value> = [1, 3, 5, 7].iter().map(|at: &usize| &replies[*at]["value"]).collect();
        assert_eq!(seen, [&Value::Null, &json!(round), &json!("x"), &Value::Null], "{replies}");
    }
}

#[tokio::test]
async fn an_empty_batch_has_no_replies_and_a_too_large_batch_is_refused() {
    let (_redis, service) = Service::with_own_redis();
    let caller = service.caller().await;
    assert_eq!(caller.run(json!([])).await, json!([]));
    let read = json!({"command": "READ", "key": "batch:k"});
    let replies = caller.run(Value::Array(vec![read.clone(); 1000])).await;
    assert_eq!(replies.as_array().map(Vec::len), Some(1000));
    let answer = caller.send(Value::Array(vec![read; 1001]).to_string()).await;
    assert!(answer.expect_error(400, "batch_too_large").text.contains("more than 1000 commands"));
}

#[tokio::test]
async fn a_batch_takes_one_round_trip_for_each_node() {
    let group = redis(3, 1);
    let service = Service::start(&redis_section(&group));
    let caller = service.caller().await;
    let keys: Vec<String> = (0..300).map(|number| format!("batch:{number}")).collect();
    caller.fill(&keys).await;

    let reads_before: u64 = (0..3).map(|shard| socket_reads(&group.replicas(shard)[0])).sum();
    let replies = caller.run(keys.iter().map(|key| json!({"command": "READ", "key": key})).collect()).await;
    let reads_after: u64 = (0..3).map(|shard| socket_reads(&group.replicas(shard)[0])).sum();
    for (key, reply) in keys.iter().zip(replies.as_array().expect("replies")) {
        assert_eq!(reply["value"], json!(key));
    }
    // 300 commands by themselves would be 300 reads; probes and this test's own questions are a few.
    assert!(reads_after - reads_before < 60, "{} socket reads for 300 commands", reads_after - reads_before);
}

#[tokio::test]
async fn a_batch_reads_values_up_to_its_limit_and_delays_nobody_else() {
    let group = redis(1, 2);
    // Without optimisations 4 MiB take a while to be read.
    let sections = format!("[redis]\nattempt_timeout_ms=1000\n{}", redis_section(&group));
    let service = Service::start_with("REQUEST_DEADLINE_MS=10000", &sections);
    let caller = service.caller().await;
    let write = json!({"command": "WRITE", "key": "batch:large", "value": "x".repeat(4 * 1024 * 1024)});
    caller.run(write).await;
    eventually("the value is replicated", async || caller.read("batch:large").await.map(|_| ())).await;
    let read = json!({"command": "READ", "key": "batch:large"});
    let large = caller.run(Value::Array(vec![read; 60]));
    let small = async {
        for number in 0..50 {
            assert_eq!(caller.read(&format!("batch:small:{number}")).await, None);
        }
    };
    let (replies, ()) = tokio::join!(large, small);
    let replies = replies.as_array().expect("replies").clone();
    let (read, refused): (Vec<_>, Vec<_>) = replies.iter().partition(|reply| reply["status"] == "SUCCESS");
    // 64 MiB have room for 16 of them.
    assert_eq!((read.len(), refused.len()), (16, 44));
    assert!(refused.iter().all(|reply| reply["code"] == "reply_too_large"), "{:?}", refused[0]);
}

#[tokio::test]
async fn a_value_that_a_batch_reads_again_takes_room_in_the_reply_once() {
    let group = redis(1, 1);
    until_replicated(&group).await;
    // Only the refusal of the change tells that the master was demoted.
    let sections = format!("[redis]\nattempt_timeout_ms=1000\nprobe_every_ms=60000\n{}", redis_section(&group));
    let service = Service::plain_with("REQUEST_DEADLINE_MS=10000", &sections);
    until_ready(&service, "READY").await;
    let (caller, successor) = (service.caller().await, &group.replicas(0)[0]);
    let write = json!({"command": "WRITE", "key": "k", "value": "x".repeat(4 * 1024 * 1024)});
    caller.run(write.clone()).await;
    eventually("it is replicated", async || (successor.ask("STRLEN k").ok()? == ":4194304").then_some(())).await;
    promote(successor, &[group.master(0)]);
    // The demoted master refuses the WRITE and answers the reads. The new one runs all of them.
    let mut batch = vec![json!({"command": "READ", "key": "k"}); 10];
    batch[0] = write;
    let replies = caller.run(Value::Array(batch)).await;
    let replies = replies.as_array().expect("replies");
    let outcomes: Vec<_> = replies.iter().map(|reply| (&reply["status"], &reply["code"])).collect();
    assert!(outcomes.iter().all(|(status, _)| *status == "SUCCESS"), "{outcomes:?}");
    let again = MetricsPage::of(&service).await.sum("cachefront_write_retries_total", "");
    assert!(again >= 10.0, "the batch was sent again");
}

fn socket_reads(node: &crate::local_redis::RedisProcess) -> u64 {
    node.info("total_reads_processed").and_then(|text| text.parse().ok()).expect("a number")
}
