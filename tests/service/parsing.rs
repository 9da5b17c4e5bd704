//! Limits on parsing: input that is no command costs its sender as much as one, and nobody else anything.

use crate::harness::{API_KEY, Answer, Caller, NO_REDIS, Service, eventually, shared};
use cachefront::{settings::hash_api_key, types::DEPTH_MAX};
use serde_json::{Value, json};

const SLOW: &str = "the-key-of-the-slow-one";

/// Returns the JSON of a value with this number of arrays within each other.
fn nested(depth: usize) -> String {
    format!("{}{}", "[".repeat(depth), "]".repeat(depth))
}

/// Starts a service without Redis, and returns it with a caller who may send two commands per second.
async fn limited() -> (Service, Caller) {
    let hash = hash_api_key(SLOW);
    let client = format!("[client:slow]\napi_key_hash={hash}\nnamespace=slow\nscopes=read\ncommands_per_second=2\n");
    let service = Service::start(&format!("{client}{NO_REDIS}"));
    let caller = Caller::log_in(&service, SLOW, None).await;
    (service, caller)
}

#[tokio::test]
async fn malformed_and_forbidden_items_cost_the_rate_limit_of_their_caller() {
    for item in [json!(5), json!({"command": "READ"}), json!({"command": "WRITE", "key": "k", "value": "v"})] {
        let (_service, caller) = limited().await;
        let replies = caller.run(json!(vec![&item; 20])).await;
        let count =
            |code: &str| replies.as_array().expect("replies").iter().filter(|reply| reply["code"] == code).count();
        assert!(count("rate_limited") >= 10, "{item}: {replies}");
    }
}

#[tokio::test]
async fn a_body_that_is_no_json_costs_the_rate_limit_of_its_caller() {
    let (_service, caller) = limited().await;
    let too_long = format!("[{}", "1,".repeat(2000));
    for body in ["{", "nonsense", &too_long] {
        let answer = eventually("the limit is reached", async || {
            let answer = caller.send(body.to_owned()).await;
            (answer.status.as_u16() != 400).then_some(answer)
        })
        .await;
        answer.expect_error(429, "rate_limited");
    }
}

#[tokio::test]
async fn a_write_of_more_than_128_levels_is_400_alone_and_in_a_batch() {
    let (_redis, service) = Service::with_own_redis();
    let caller = service.caller().await;
    let write = |depth: usize| format!(r#"{{"command":"WRITE","key":"deep","value":{}}}"#, nested(depth));
    assert_eq!(caller.send(write(DEPTH_MAX)).await.status.as_u16(), 200);
    for depth in [DEPTH_MAX + 1, 1_000_000] {
        let answer = caller.send(write(depth)).await;
        assert_eq!(answer.expect_error(400, "value_too_deep").json()["command"], "WRITE");
    }
    let answer = caller.send(format!("[{},{}]", write(DEPTH_MAX + 1), write(2))).await;
    let replies = answer.json();
    assert_eq!((&replies[0]["code"], &replies[1]["status"]), (&json!("value_too_deep"), &json!("SUCCESS")));
}

#[tokio::test]
async fn a_deeper_value_that_another_program_stored_is_read() {
    let (redis, service) = Service::with_own_redis();
    let json = nested(5000);
    assert_eq!(redis.master(0).ask(&format!(r#"SET deep "\xc1\x01\x01{json}""#)).expect("an answer"), "+OK");
    let caller = service.caller().await;
    let text = eventually("the value is replicated", async || {
        let answer = caller.send(r#"{"command":"READ","key":"deep"}"#).await;
        answer.text.contains("SUCCESS").then_some(answer.text)
    })
    .await;
    assert!(text.contains(&json), "{} bytes", text.len());
}

#[tokio::test]
async fn no_error_repeats_more_than_a_few_characters_of_the_input() {
    let caller = shared().caller().await;
    let long = "x".repeat(100_000);
    let digits = "9".repeat(100_000);
    for body in [
        json!({"command": long}).to_string(),
        json!({"command": "READ", "key": long}).to_string(),
        json!({"command": "READ", "key": "k", "consistency": long}).to_string(),
        format!(r#"{{"command":"READ","key":{digits}}}"#),
        format!(r#"{{"command":"WRITE","key":"k","value":1,"expire":{digits}}}"#),
        format!(r#"{{"command":"WRITE","key":"k","value":1,"replicas":{digits}}}"#),
        format!(r#"{{"command":"WRITE","key":"k","value":1,"encrypt":"{long}"}}"#),
        format!(r#"{{"command":"READ","{long}":1,"key":"k","key":"k"}}"#),
        format!("{long}{{"),
        digits.clone(),
    ] {
        let answer = caller.send(body.clone()).await;
        assert_eq!(answer.status.as_u16(), 400, "{answer:?}");
        assert!(answer.text.len() < 300, "{answer:?}");
    }
    // Fields that nobody knows are ignored, however many there are.
    let many = (0..50_000).map(|number| format!(r#""f{number}":[[1]],"#)).collect::<Vec<_>>().concat();
    let answer = caller.send(format!(r#"{{{many}"command":"READ","key":"nothing-here"}}"#)).await;
    assert_eq!(answer.json()["status"], "NOT_FOUND");
}

#[tokio::test]
async fn a_login_is_parsed_as_strictly_as_a_command() {
    let http = Caller::http().build().expect("a client");
    let log_in = |body: String| {
        let request = http.post(shared().url("/login")).header("content-type", "application/json");
        Answer::of(request.body(body))
    };
    let twice = format!(r#"{{"api_key":"{API_KEY}","api_key":"{API_KEY}"}}"#);
    let answer = log_in(twice).await;
    assert!(answer.expect_error(400, "invalid_json").text.contains("duplicate field `api_key`"), "{answer:?}");
    // A field that is ignored may have any form.
    let ignored = format!(r#"{{"api_key":"{API_KEY}","other":{}}}"#, nested(1000));
    assert_eq!(log_in(ignored).await.status.as_u16(), 200);
    log_in(json!({"api_key": Value::Null}).to_string()).await.expect_error(401, "invalid_api_key");
    log_in(json!({"api_key": {"a": 1}}).to_string()).await.expect_error(400, "invalid_field");
    log_in(r#"{"api_key":"\ud800"}"#.to_owned()).await.expect_error(400, "invalid_field");
}
