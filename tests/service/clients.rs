//! Named clients: their API keys, scopes, namespaces and rate limits.

use crate::harness::{API_KEY, Answer, Caller, NO_REDIS, Service, redis, redis_section};
use cachefront::settings::hash_api_key;
use serde_json::json;

const OLD: &str = "billing-key-of-last-month";
const NEW: &str = "billing-key-of-this-month";
const READER: &str = "the-key-of-the-reader";
const SLOW: &str = "the-key-of-the-slow-one";

fn sections() -> String {
    let [old, new, reader, slow] = [OLD, NEW, READER, SLOW].map(hash_api_key);
    format!(
        "[client:billing]\napi_key_hash={old}, {new}\nnamespace=billing\nscopes=read,write,delete\n\
         [client:reader]\napi_key_hash={reader}\nnamespace=*\nscopes=read\n\
         [client:slow]\napi_key_hash={slow}\nnamespace=*\nscopes=read,write,delete\ncommands_per_second=2\n"
    )
}

async fn login_status(service: &Service, client_id: Option<&str>, api_key: &str) -> u16 {
    let body = json!({"client_id": client_id, "api_key": api_key});
    let http = Caller::http().build().expect("a client");
    Answer::of(http.post(service.url("/login")).json(&body)).await.status.as_u16()
}

#[tokio::test]
async fn a_client_id_has_to_match_the_api_key() {
    let service = Service::start(&(sections() + NO_REDIS));
    for (client_id, api_key, expected) in [
        (Some("billing"), OLD, 200),
        (Some("billing"), NEW, 200),
        (None, NEW, 200),
        (Some("reader"), NEW, 401),
        (Some("nobody"), NEW, 401),
        (Some("anybody"), API_KEY, 200),
        (None, API_KEY, 200),
        (Some("billing"), API_KEY, 401),
    ] {
        assert_eq!(login_status(&service, client_id, api_key).await, expected, "{client_id:?} with {api_key}");
    }
}

#[tokio::test]
async fn a_command_without_its_scope_is_403_and_the_rest_of_the_batch_runs() {
    let group = redis(1, 0);
    let service = Service::start(&(sections() + &redis_section(&group)));
    let reader = Caller::log_in(&service, READER, None).await;
    for command in ["WRITE", "DELETE"] {
        let answer = reader.send(json!({"command": command, "key": "k", "value": "v"}).to_string()).await;
        assert_eq!(answer.expect_error(403, "scope_missing").json()["command"], command);
    }
    let batch = json!([{"command": "READ", "key": "k"}, {"command": "WRITE", "key": "k", "value": 1}]);
    let replies = reader.run(batch).await;
    assert_eq!((&replies[0]["status"], &replies[1]["code"]), (&json!("NOT_FOUND"), &json!("scope_missing")));
}

#[tokio::test]
async fn clients_with_different_namespaces_do_not_share_keys() {
    let group = redis(1, 0);
    let service = Service::start(&(sections() + &redis_section(&group)));
    let billing = Caller::log_in(&service, NEW, None).await;
    let everyone = service.caller().await;
    billing.write("k", &json!("of billing")).await;
    everyone.write("k", &json!("of everyone")).await;
    assert_eq!(billing.read("k").await, Some(json!("of billing")));
    assert_eq!(everyone.read("k").await, Some(json!("of everyone")));
    assert_eq!(group.master(0).ask("GET billing:k").expect("an answer"), "of billing");
    // The message has the key as the client sent it, without the namespace.
    let deleted = billing.run(json!({"command": "DELETE", "key": "k"})).await;
    assert_eq!(deleted["message"], "k Key deleted");
}

#[tokio::test]
async fn too_many_commands_are_429_with_retry_after() {
    let group = redis(1, 0);
    let service = Service::start(&(sections() + &redis_section(&group)));
    let slow = Caller::log_in(&service, SLOW, None).await;
    let read = json!({"command": "READ", "key": "k"});
    let replies = slow.run(json!([read, read, read, read])).await;
    let limited = replies.as_array().expect("replies").iter().filter(|reply| reply["code"] == "rate_limited").count();
    assert!((1..=2).contains(&limited), "{replies}");
    for reply in replies.as_array().expect("replies").iter().filter(|reply| reply["code"] == "rate_limited") {
        // An item of a batch has no header that could tell the time to wait.
        assert!((1..=1000).contains(&reply["retry_after_ms"].as_u64().unwrap_or_default()), "{reply}");
    }
    let answer = crate::harness::eventually("the limit is reached", async || {
        let answer = slow.send(read.to_string()).await;
        (answer.status.as_u16() != 200).then_some(answer)
    })
    .await;
    answer.expect_error(429, "rate_limited");
    assert_eq!(answer.header("retry-after"), "1");
    assert!(!answer.text.contains("retry_after_ms"), "the header tells it: {answer:?}");
}
