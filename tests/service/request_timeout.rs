//! The header `request-timeout-ms`.

use crate::harness::{Answer, Caller, Service, redis, redis_section, shared, signal};
use serde_json::json;
use std::time::{Duration, Instant};

async fn send(caller: &Caller, timeout_ms: &str, body: &str) -> Answer {
    let request = caller.http.post(&caller.url).bearer_auth(&caller.token).header("content-type", "application/json");
    Answer::of(request.header("request-timeout-ms", timeout_ms).body(body.to_owned())).await
}

#[tokio::test]
async fn a_request_timeout_ends_a_request_before_the_deadline_of_the_service() {
    let group = redis(1, 0);
    let deadline = Duration::from_secs(30);
    let options = format!("REQUEST_DEADLINE_MS={}", deadline.as_millis());
    let service =
        Service::plain_with(&options, &format!("[redis]\nattempt_timeout_ms=20000\n{}", redis_section(&group)));
    let caller = service.caller().await;
    caller.write("k", &json!("v")).await;
    signal("-STOP", group.master(0).process_id());
    let start = Instant::now();
    let answer = send(&caller, "100", r#"{"command":"WRITE","key":"k","value":"w"}"#).await;
    answer.expect_error(504, "deadline_passed");
    let answer = send(&caller, "100", r#"[{"command":"READ","key":"k"}]"#).await;
    assert_eq!(answer.json()[0]["status"], "ERROR", "{answer:?}");
    assert!(start.elapsed() < deadline / 2, "{:?}", start.elapsed());
    signal("-CONT", group.master(0).process_id());
    // More than the deadline is no error, and has no effect.
    let answer = send(&caller, "86400000", r#"{"command":"READ","key":"k"}"#).await;
    assert_eq!(answer.json()["status"], "SUCCESS", "{answer:?}");
}

#[tokio::test]
async fn a_request_timeout_that_is_no_number_of_milliseconds_is_400() {
    let caller = shared().caller().await;
    for timeout_ms in ["0", "-1", "1.5", "soon", ""] {
        let answer = send(&caller, timeout_ms, r#"{"command":"READ","key":"k"}"#).await;
        answer.expect_error(400, "invalid_request_timeout");
        assert!(answer.text.contains("request-timeout-ms"), "{answer:?}");
    }
}
