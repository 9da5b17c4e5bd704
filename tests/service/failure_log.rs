//! The log of failed requests, and the last failures in the console.

use crate::harness::{API_KEY, Answer, Caller, Instance, eventually, redis, redis_section};
use crate::local_redis::RedisGroup;
use cachefront::settings::hash_api_key;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use serde_json::{Value, json};
use std::collections::BTreeSet;

const SHOP: &str = "the-key-of-the-shop";

/// Starts an instance with the client `shop`, whose rate limit is high unless another one is given.
async fn start(group: &RedisGroup, service: &str, limit: u32) -> Instance {
    let hash = hash_api_key(SHOP);
    let client = format!(
        "[client:shop]\napi_key_hash={hash}\nnamespace=shop\nscopes=read,delete\ncommands_per_second={limit}\n"
    );
    Instance::start(group, &format!("{service}\n{client}{}", redis_section(group))).await
}

async fn shop(instance: &Instance) -> Caller {
    Caller::log_in_at(&instance.url(), SHOP, None).await
}

/// Sends a command with a request id.
async fn send(caller: &Caller, id: &str, command: &Value) -> Answer {
    let request = caller.http.post(&caller.url).bearer_auth(&caller.token).header("x-request-id", id);
    Answer::of(request.json(command)).await
}

/// Returns the lines of the log in which a field has a value.
fn lines(instance: &Instance, field: &str, value: &str) -> Vec<Value> {
    let log = instance.log();
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.filter(|line| line[field] == value).collect()
}

/// Waits for the line with a request id.
async fn line(instance: &Instance, id: &str) -> Value {
    eventually(&format!("the log has the request {id}"), async || lines(instance, "request_id", id).pop()).await
}

fn read(key: &str) -> Value {
    json!({"command": "READ", "key": key})
}

/// Starts an instance whose only master is lost, and sends READs with this id until one fails because of that.
async fn with_lost_master(limit: u32, id: &str) -> (RedisGroup, Instance, Caller) {
    let group = redis(1, 0);
    let instance = start(&group, "", limit).await;
    let caller = shop(&instance).await;
    group.master(0).kill();
    eventually("the master is lost", async || {
        (send(&caller, id, &read("k")).await.status.as_u16() == 503).then_some(())
    })
    .await;
    (group, instance, caller)
}

/// Returns the last failed requests that the console shows.
async fn failed(instance: &Instance) -> Vec<Value> {
    let facts = Caller::plain_http().get(format!("http://{}/console/facts", instance.admin()));
    Answer::of(facts).await.json()["failed"].as_array().expect("a list").clone()
}

#[tokio::test]
async fn the_line_of_a_failed_request_says_whose_it_was_and_what_failed() {
    let (_group, instance, _caller) = with_lost_master(1000, "lost").await;
    let line = line(&instance, "lost").await;
    for (field, expected) in
        [("client", "shop"), ("peer", "127.0.0.1"), ("command", "READ"), ("shard", "a"), ("code", "shard_unavailable")]
    {
        assert_eq!(line[field], expected, "{field} in {line}");
    }
    let message = line["message"].as_str().expect("a message");
    let start = "READ of client \"shop\" from 127.0.0.1 failed with shard_unavailable: shard \"a\" is unavailable: ";
    assert!(message.starts_with(start), "{message}");
    // The console shows the same.
    let shown = failed(&instance).await;
    let failed = shown.iter().find(|failed| failed["request_id"] == "lost").unwrap_or_else(|| panic!("{shown:?}"));
    assert_eq!(
        (&failed["client"], &failed["shard"], &failed["class"]),
        (&json!("shop"), &json!("a"), &json!("service"))
    );
}

#[tokio::test]
async fn a_request_that_is_refused_by_its_head_names_the_client_of_its_token() {
    let group = redis(1, 0);
    let instance = start(&group, "", 1000).await;
    let caller = shop(&instance).await;
    let requests = [
        ("bad-token", "cache-sync-token", "x", "invalid_sync_token"),
        ("bad-timeout", "request-timeout-ms", "x", "invalid_request_timeout"),
        ("bad-type", "content-type", "text/plain", "unsupported_media_type"),
    ];
    for (id, header, value, code) in requests {
        let request = caller.http.post(&caller.url).bearer_auth(&caller.token).header("x-request-id", id);
        let mut headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
        headers.insert(header, HeaderValue::from_static(value));
        let status = if code == "unsupported_media_type" { 415 } else { 400 };
        Answer::of(request.headers(headers).body("{}")).await.expect_error(status, code);
    }
    let shown = failed(&instance).await;
    for (id, _, _, code) in requests {
        let failed = shown.iter().find(|failed| failed["request_id"] == id);
        let failed = failed.unwrap_or_else(|| panic!("{id} is missing: {shown:?}"));
        assert_eq!((&failed["client"], &failed["code"]), (&json!("shop"), &json!(code)), "{failed}");
    }
}

#[tokio::test]
async fn the_commands_of_a_batch_that_fail_alike_are_one_line_with_their_number() {
    let (_group, instance, caller) = with_lost_master(1_000_000, "before").await;
    let write = json!({"command": "WRITE", "key": "k", "value": "v"});
    let batch: Value = (0..300).map(|number| read(&format!("k{number}"))).chain([write]).collect();
    send(&caller, "batch", &batch).await;
    let line = line(&instance, "batch").await;
    assert_eq!((&line["times"], &line["code"]), (&json!(300), &json!("shard_unavailable")), "{line}");
    let text = line["message"].as_str().expect("a message");
    assert!(text.ends_with("(300 commands of this batch failed so)"), "{text}");
    assert_eq!(lines(&instance, "request_id", "batch").len(), 1, "{}", instance.log());
    let shown = failed(&instance).await;
    // The WRITE of the batch, which has no permission, is a line of its own.
    let unavailable: Vec<_> = shown.iter().filter(|failed| failed["code"] == "shard_unavailable").collect();
    let times =
        |id: &str| unavailable.iter().find(|failed| failed["request_id"] == id).map(|failed| failed["times"].clone());
    assert_eq!((times("before"), times("batch")), (Some(json!(1)), Some(json!(300))), "{shown:?}");
}

#[tokio::test]
async fn refused_logins_and_tampered_values_are_logged_among_any_number_of_other_failures() {
    let group = redis(2, 0);
    let key = "ENCRYPTION_KEY=000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
    let instance = start(&group, key, 1_000_000).await;
    let caller = shop(&instance).await;
    // The shards of some keys: those of the second one can be read after the first one is lost.
    group.master(0).kill();
    let mut living = Vec::new();
    eventually("the first shard is lost", async || {
        living.clear();
        let keys: Vec<String> = (0..40).map(|number| format!("k{number}")).collect();
        let replies = caller.run(keys.iter().map(|key| read(key)).collect()).await;
        let replies = replies.as_array().expect("replies");
        living.extend(
            keys.iter().zip(replies).filter(|(_, reply)| reply["status"] != "ERROR").map(|(key, _)| key.clone()),
        );
        (living.len() < keys.len()).then_some(())
    })
    .await;
    let everyone = Caller::log_in_at(&instance.url(), API_KEY, None).await;
    let (sealed, tampered) = (format!("shop:{}", living[0]), format!("shop:{}", living[1]));
    everyone.run(json!({"command": "WRITE", "key": sealed, "value": "v", "encrypt": true})).await;
    // Under another key it is not what was sealed.
    assert_eq!(group.master(1).ask(&format!("COPY {sealed} {tampered}")).expect("an answer"), ":1");
    let flood: Value = (0..1000).map(|number| read(&format!("k{number}"))).collect();
    caller.run(flood.clone()).await;
    let login = caller.http.post(format!("{}/login", instance.url())).header("x-request-id", "intruder");
    let wrong = json!({"api_key": "wrong", "client_id": "shop"});
    Answer::of(login.json(&wrong)).await.expect_error(401, "invalid_api_key");
    // A key in the place of the name is not repeated.
    let swapped = caller.http.post(format!("{}/login", instance.url())).header("x-request-id", "swapped");
    let swapped = swapped.json(&json!({"api_key": "shop", "client_id": API_KEY}));
    Answer::of(swapped).await.expect_error(401, "invalid_api_key");
    caller.run(flood).await;
    send(&caller, "tampered", &read(&living[1])).await.expect_error(500, "decryption_failed");
    let refused = line(&instance, "intruder").await;
    assert_eq!((&refused["client"], &refused["peer"]), (&json!("shop"), &json!("127.0.0.1")), "{refused}");
    assert!(
        refused["message"]
            .as_str()
            .is_some_and(|text| text.contains("login of client \"shop\" from 127.0.0.1 was refused"))
    );
    line(&instance, "swapped").await;
    assert!(!instance.log().contains(API_KEY), "{}", instance.log());
    let tampered = line(&instance, "tampered").await;
    assert_eq!((&tampered["code"], &tampered["level"]), (&json!("decryption_failed"), &json!("WARN")), "{tampered}");
    let logged = lines(&instance, "code", "shard_unavailable").len();
    assert!(logged < 500, "{logged} lines about the lost shard");
}

#[tokio::test]
async fn denials_and_deletions_are_logged_where_the_level_asks_for_them() {
    let group = redis(1, 0);
    let quiet = start(&group, "", 2).await;
    let talkative = start(&group, "LOG_LEVEL=info,cachefront::access=debug", 2).await;
    for instance in [&quiet, &talkative] {
        let caller = shop(instance).await;
        send(&caller, "gone", &json!({"command": "DELETE", "key": "k"})).await;
        send(&caller, "denied", &json!({"command": "WRITE", "key": "k", "value": "v"}))
            .await
            .expect_error(403, "scope_missing");
        eventually("the rate limit is reached", async || {
            (send(&caller, "limited", &read("k")).await.status.as_u16() == 429).then_some(())
        })
        .await;
    }
    let gone = line(&talkative, "gone").await;
    assert_eq!((&gone["command"], &gone["key"], &gone["client"]), (&json!("DELETE"), &json!("shop:k"), &json!("shop")));
    let codes: BTreeSet<String> = [line(&talkative, "denied").await, line(&talkative, "limited").await]
        .iter()
        .map(|line| line["code"].as_str().expect("a code").to_owned())
        .collect();
    assert_eq!(codes, BTreeSet::from(["scope_missing".to_owned(), "rate_limited".to_owned()]));
    for id in ["gone", "denied", "limited"] {
        assert!(lines(&quiet, "request_id", id).is_empty(), "{}", quiet.log());
    }
}
