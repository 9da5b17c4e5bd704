//! Values of every kind: their round trip, and their form in Redis.

use crate::harness::{Service, redis, redis_section};
use base64::{Engine, engine::general_purpose::STANDARD};
use proptest::{
    prelude::*,
    test_runner::{Config, TestRunner},
};
use serde_json::{Value, json};

#[tokio::test]
async fn any_json_is_read_exactly_as_it_was_written() {
    let (_redis, service) = Service::with_own_redis();
    let caller = service.caller().await;
    for (number, raw) in [
        "0",
        "-0",
        "1.0",
        "1.10",
        "1e5",
        "1E+5",
        "123456789012345678901234567890",
        "0.1000000000000000055511151231257827",
        "true",
        "false",
        "null",
        "[]",
        "{}",
        r#"{"b":1,"a":[1,{"c":null}]}"#,
        r#"[ 1 , "x" ]"#,
        r#"{"a":1,"a":2}"#,
        r#""\ud800""#,
        r#"["\ud800\u0000"]"#,
    ]
    .iter()
    .enumerate()
    {
        let key = format!("values:exact:{number}");
        let write = caller.send(format!(r#"{{"command":"WRITE","key":"{key}","value":{raw}}}"#)).await;
        assert_eq!(write.text, format!("{{\"command\":\"WRITE\",\"status\":\"SUCCESS\",\"value\":{raw}}}\n"));
        let read = crate::harness::eventually("the value is replicated", async || {
            let read = caller.send(format!(r#"{{"command":"READ","key":"{key}"}}"#)).await;
            (!read.text.contains("NOT_FOUND")).then_some(read)
        })
        .await;
        assert_eq!(read.text, format!("{{\"command\":\"READ\",\"status\":\"SUCCESS\",\"value\":{raw}}}\n"));
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::hash_map(any::<String>(), inner, 0..6).prop_map(|map| map.into_iter().collect()),
        ]
    })
}

#[test]
fn any_key_and_any_value_round_trip() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let (_redis, service) = Service::with_own_redis();
    let caller = runtime.block_on(service.caller());
    let mut runner = TestRunner::new(Config { cases: 300, failure_persistence: None, ..Config::default() });
    let key = "[^\\p{Cc}]{1,40}";
    let outcome = runner.run(&(key, any_json()), |(key, value)| {
        // In one batch, so that the read does not depend on replication.
        let batch = json!([{"command": "WRITE", "key": key, "value": value}, {"command": "READ", "key": key}]);
        let replies = runtime.block_on(caller.run(batch));
        prop_assert_eq!(&replies[0]["value"], &value);
        prop_assert_eq!(&replies[1]["value"], &value);
        Ok(())
    });
    outcome.unwrap_or_else(|error| panic!("{error}"));
}

#[tokio::test]
async fn other_redis_clients_share_plain_strings_with_the_service() {
    let (redis, service) = Service::with_own_redis();
    let caller = service.caller().await;
    caller.write("values:ours", &json!("größer ✓")).await;
    assert_eq!(redis.master(0).ask("GET values:ours").expect("an answer"), "größer ✓");
    redis.master(0).ask("SET values:theirs 42").expect("an answer");
    caller.until_read("values:theirs", Some(&json!("42"))).await;
}

#[tokio::test]
async fn bytes_that_are_not_utf8_are_read_as_base64() {
    let (redis, service) = Service::with_own_redis();
    let caller = service.caller().await;
    redis.master(0).ask(r#"SET values:bytes "\xff\x00\xfe""#).expect("an answer");
    let reply = crate::harness::eventually("the bytes are replicated", async || {
        let reply = caller.run(json!({"command": "READ", "key": "values:bytes"})).await;
        (reply["status"] == "SUCCESS").then_some(reply)
    })
    .await;
    assert_eq!(reply, json!({"command": "READ", "status": "SUCCESS", "encoding": "base64", "value": "/wD+"}));
}

#[tokio::test]
async fn bytes_that_were_read_can_be_written_back() {
    let (redis, service) = Service::with_own_redis();
    let caller = service.caller().await;
    redis.master(0).ask(r#"SET values:theirs "\x80\x04\x95\xff""#).expect("an answer");
    let read = json!({"command": "READ", "key": "values:theirs", "consistency": "master"});
    let mut write = caller.run(read).await;
    write["command"] = json!("WRITE");
    write["key"] = json!("values:ours");
    let replies = caller.run(json!([write, {"command": "READ", "key": "values:ours"}])).await;
    for (reply, command) in [(&replies[0], "WRITE"), (&replies[1], "READ")] {
        let expected = json!({"command": command, "status": "SUCCESS", "encoding": "base64", "value": "gASV/w=="});
        assert_eq!(*reply, expected);
    }
    let same =
        "EVAL \"return redis.call('GET',KEYS[1])==redis.call('GET',KEYS[2]) and 1 or 0\" 2 values:theirs values:ours";
    assert_eq!(redis.master(0).ask(same).expect("an answer"), ":1");
}

#[tokio::test]
async fn bytes_that_look_like_a_text_or_like_a_sealed_value_are_read_as_bytes() {
    let (_redis, service) = Service::with_own_redis();
    let caller = service.caller().await;
    for (number, base64) in ["", "aGVsbG8=", "/wD+", "wQEDAAAA", "wQEBe30="].iter().enumerate() {
        let key = format!("values:bytes:{number}");
        let write = json!({"command": "WRITE", "key": key, "value": base64, "encoding": "base64"});
        let replies = caller.run(json!([write, {"command": "READ", "key": key}])).await;
        assert_eq!((&replies[1]["value"], &replies[1]["encoding"]), (&json!(base64), &json!("base64")), "{replies}");
    }
}

#[tokio::test]
async fn a_key_that_holds_a_list_is_an_error_not_a_miss() {
    let (redis, service) = Service::with_own_redis();
    let caller = service.caller().await;
    redis.master(0).ask("RPUSH values:list a b").expect("an answer");
    let read = json!({"command": "READ", "key": "values:list"});
    let answer = crate::harness::eventually("the list is replicated", async || {
        let answer = caller.send(read.to_string()).await;
        (answer.status.as_u16() != 200).then_some(answer)
    })
    .await;
    answer.expect_error(409, "wrong_type");
    let replies = caller.run(json!([read, {"command": "DELETE", "key": "values:list"}])).await;
    assert_eq!((&replies[0]["code"], &replies[1]["status"]), (&json!("wrong_type"), &json!("SUCCESS")));
}

#[tokio::test]
async fn a_value_of_the_maximum_size_fits_in_any_form() {
    const BYTES: usize = 50_000;
    let group = redis(1, 0);
    let service = Service::start_with(&format!("VALUE_BYTES_MAX={BYTES}"), &redis_section(&group));
    let caller = service.caller().await;
    let text = |bytes: usize| "x".repeat(bytes);
    // Each of these characters has one byte, and six in JSON.
    let controls = |bytes: usize| "\\u0000".repeat(bytes);
    let base64 = |bytes: usize| STANDARD.encode(vec![0xff; bytes]);
    let forms: [(&dyn Fn(usize) -> String, &str); 3] = [(&text, "null"), (&controls, "null"), (&base64, "\"base64\"")];
    for (value, encoding) in forms {
        let write = |bytes: usize| {
            let value = value(bytes);
            caller.send(format!(
                r#"{{"command":"WRITE","key":"values:longest","value":"{value}","encoding":{encoding}}}"#
            ))
        };
        let answer = write(BYTES).await;
        assert_eq!(answer.status.as_u16(), 200, "{:.200}", answer.text);
        let read = caller.run(json!({"command": "READ", "key": "values:longest"})).await;
        assert!(read["value"] == answer.json()["value"], "another value came back");
        write(BYTES + 1).await.expect_error(413, "value_too_large");
    }
}

#[tokio::test]
async fn large_values_round_trip() {
    let group = redis(1, 1);
    // Without optimisations 7 MiB take a while.
    let service = Service::start_with("REQUEST_DEADLINE_MS=20000", &redis_section(&group));
    let caller = service.caller().await;
    let value = json!("x".repeat(7 * 1024 * 1024));
    let batch = json!([{"command": "WRITE", "key": "values:large", "value": value}, {"command": "READ", "key": "values:large"}]);
    let replies = caller.run(batch).await;
    assert!(replies[1]["value"] == value, "7 MiB did not come back");
    caller.run(json!({"command": "DELETE", "key": "values:large"})).await;
}
