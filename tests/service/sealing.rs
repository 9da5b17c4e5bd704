//! Values that are encrypted before they leave for Redis.

use crate::harness::{Caller, Service, redis, redis_section};
use crate::local_redis::RedisGroup;
use serde_json::{Value, json};

const FIRST: &str = "1111111111111111111111111111111122222222222222222222222222222222";
const SECOND: &str = "3333333333333333333333333333333344444444444444444444444444444444";

/// Raw bytes as Redis holds them, in Redis's own notation.
fn raw(group: &RedisGroup, key: &str) -> String {
    group.master(0).ask(&format!("GET {key}")).expect("an answer")
}

fn service(group: &RedisGroup, options: &str) -> Service {
    Service::start_with(options, &redis_section(group))
}

async fn seal(caller: &Caller, key: &str, value: &Value) {
    let reply = caller.run(json!({"command": "WRITE", "key": key, "value": value, "encrypt": true})).await;
    assert_eq!((&reply["status"], &reply["value"]), (&json!("SUCCESS"), value));
}

#[tokio::test]
async fn a_sealed_value_is_unreadable_in_redis_and_is_read_as_it_was_written() {
    let group = redis(1, 0);
    let service = service(&group, &format!("ENCRYPTION_KEY={FIRST}"));
    let caller = service.caller().await;
    for value in [json!("the secret text"), json!({"the secret": ["text", 1.5]}), json!("")] {
        seal(&caller, "sealed", &value).await;
        assert!(!raw(&group, "sealed").contains("secret"), "{:?}", raw(&group, "sealed"));
        assert_eq!(caller.read("sealed").await, Some(value));
    }
    // Without being asked, values stay readable for others.
    caller.write("plain", &json!("the secret text")).await;
    assert_eq!(raw(&group, "plain"), "the secret text");
}

#[tokio::test]
async fn a_sealed_value_does_not_open_under_another_key() {
    let group = redis(1, 0);
    let service = service(&group, &format!("ENCRYPTION_KEY={FIRST}"));
    let caller = service.caller().await;
    seal(&caller, "mine", &json!("secret")).await;
    assert_eq!(group.master(0).ask("COPY mine yours").expect("an answer"), ":1");
    let answer = caller.send(r#"{"command":"READ","key":"yours"}"#).await;
    answer.expect_error(500, "decryption_failed");
    let replies = caller.run(json!([{"command": "READ", "key": "yours"}, {"command": "READ", "key": "mine"}])).await;
    assert_eq!((&replies[0]["code"], &replies[1]["value"]), (&json!("decryption_failed"), &json!("secret")));
}

#[tokio::test]
async fn encryption_keys_can_be_rotated_and_a_lost_one_is_an_error_and_not_a_miss() {
    let group = redis(1, 0);
    let old = service(&group, &format!("ENCRYPTION_KEY={FIRST}"));
    seal(&old.caller().await, "k", &json!("secret")).await;
    let rotated = service(&group, &format!("ENCRYPTION_KEY={SECOND}, {FIRST}"));
    let caller = rotated.caller().await;
    assert_eq!(caller.read("k").await, Some(json!("secret")));
    seal(&caller, "k", &json!("anew")).await;
    let read = r#"{"command":"READ","key":"k"}"#;
    old.caller().await.send(read).await.expect_error(500, "decryption_failed");
    let none = service(&group, "");
    none.caller().await.send(read).await.expect_error(500, "decryption_failed");
    let only_new = service(&group, &format!("ENCRYPTION_KEY={SECOND}"));
    assert_eq!(only_new.caller().await.read("k").await, Some(json!("anew")));
}

#[tokio::test]
async fn encrypt_values_always_seals_every_value() {
    let group = redis(1, 0);
    let service = service(&group, &format!("ENCRYPTION_KEY={FIRST}\nENCRYPT_VALUES=always"));
    let caller = service.caller().await;
    let write = json!({"command": "WRITE", "key": "a", "value": "secret"});
    let refusing = json!({"command": "WRITE", "key": "b", "value": "secret", "encrypt": false});
    caller.run(json!([write, refusing])).await;
    for key in ["a", "b"] {
        assert!(!raw(&group, key).contains("secret"));
        assert_eq!(caller.read(key).await, Some(json!("secret")));
    }
}
