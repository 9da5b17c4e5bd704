//! The shutdown of a service: the drain wait, the drain, and a forced end.

use super::until_ready;
use crate::harness::{Answer, Caller, NO_REDIS, Service, eventually, redis, redis_section};
use crate::local_redis::RedisGroup;
use cachefront::settings::hash_api_key;
use serde_json::json;
use std::time::{Duration, Instant};

/// Longer than any test takes, so that a test that waits for it fails.
const AN_HOUR: &str = "3600";

const NEW_KEY: &str = "the-key-of-a-new-client";

/// Waits until callers are told that the instance is not ready. They do not learn why.
async fn until_not_ready(service: &Service) {
    let http = Caller::http().build().expect("a client");
    eventually("/readyz is 503", async || {
        (Answer::of(http.get(service.url("/readyz"))).await.status.as_u16() == 503).then_some(())
    })
    .await;
}

async fn until_shutting_down(url: String) {
    let http = Caller::http().build().expect("a client");
    eventually("/readyz says that it is shutting down", async || {
        let ready = Answer::of(http.get(&url)).await;
        (ready.status.as_u16() == 503 && ready.text.contains("the service is shutting down")).then_some(())
    })
    .await;
}

async fn until_closed(service: &Service) {
    eventually("nobody listens any more", async || tokio::net::TcpStream::connect(service.address).await.err()).await;
}

/// Waits until Redis has received a write and delays its reply.
async fn until_in_flight(group: &RedisGroup) {
    eventually("the command waits in Redis", async || {
        group.master(0).ask("CLIENT LIST").expect("an answer").contains(" cmd=set ").then_some(())
    })
    .await;
}

async fn expect_gone_soon(service: Service) {
    let start = Instant::now();
    tokio::task::spawn_blocking(move || service.wait()).await.expect("it stops");
    assert!(start.elapsed() < Duration::from_secs(20), "it took {:?}", start.elapsed());
}

#[tokio::test]
async fn during_the_drain_wait_the_service_is_not_ready_and_serves_new_connections() {
    let group = redis(1, 0);
    let service = Service::plain_with(&format!("DRAIN_WAIT_SECS={AN_HOUR}"), &redis_section(&group));
    until_ready(&service, "READY").await;
    service.stop();
    until_shutting_down(format!("http://{}/readyz", service.admin)).await;
    until_not_ready(&service).await;
    // A fresh connection, login and command.
    service.caller().await.write("k", &json!("v")).await;
    assert_eq!(group.master(0).ask("GET k").expect("an answer"), "v");
    service.stop();
    expect_gone_soon(service).await;
}

#[tokio::test]
async fn during_the_drain_wait_responses_close_their_connections() {
    let group = redis(1, 0);
    let service = Service::start_with(&format!("DRAIN_WAIT_SECS={AN_HOUR}"), &redis_section(&group));
    until_ready(&service, "READY").await;
    let token = service.caller().await.token;
    let http = Caller::http().http1_only().build().expect("a client");
    let connection = async |path: &str, key: &str| {
        let request = http.post(service.url(path)).bearer_auth(&token);
        let answer = Answer::of(request.json(&json!({"command": "READ", "key": key, "api_key": "none"}))).await;
        answer.header("connection").to_owned()
    };
    assert_eq!(connection("/cache", "k").await, "");
    service.stop();
    until_not_ready(&service).await;
    // Answers of every kind: a miss, a refused command, a refused login, and no such path.
    for (path, key) in [("/cache", "k"), ("/cache", ""), ("/login", "k"), ("/nowhere", "k")] {
        assert_eq!(connection(path, key).await, "close", "{path} {key}");
    }
    service.stop();
    expect_gone_soon(service).await;
}

#[tokio::test]
async fn a_reload_changes_the_drain_wait() {
    let service = Service::start_with("RELOAD_EVERY_SECS=0\nDRAIN_WAIT_SECS=0", NO_REDIS);
    let client = format!("[client:new]\nnamespace=*\nscopes=read\napi_key_hash={}\n", hash_api_key(NEW_KEY));
    service.edit(|text| text.replace("DRAIN_WAIT_SECS=0", &format!("DRAIN_WAIT_SECS={AN_HOUR}")) + &client);
    service.reload();
    let http = Caller::http().build().expect("a client");
    eventually("the other settings count", async || {
        let login = http.post(service.url("/login")).json(&json!({"api_key": NEW_KEY}));
        (Answer::of(login).await.status.as_u16() == 200).then_some(())
    })
    .await;
    service.stop();
    until_shutting_down(format!("http://{}/readyz", service.admin)).await;
    until_not_ready(&service).await;
    Caller::log_in(&service, NEW_KEY, None).await;
    service.stop();
    expect_gone_soon(service).await;
}

#[tokio::test]
async fn after_the_drain_wait_requests_in_flight_finish_and_no_connection_is_accepted() {
    let group = redis(1, 0);
    let service = Service::plain_with("DRAIN_WAIT_SECS=1\nREQUEST_DEADLINE_MS=60000", &redis_section(&group));
    until_ready(&service, "READY").await;
    let caller = service.caller().await;
    group.master(0).ask("CLIENT PAUSE 600000 WRITE").expect("an answer");
    let write = json!({"command": "WRITE", "key": "k", "value": "v"}).to_string();
    let (answer, ()) = tokio::join!(caller.send(write), async {
        until_in_flight(&group).await;
        service.stop();
        until_closed(&service).await;
        until_shutting_down(format!("http://{}/readyz", service.admin)).await;
        group.master(0).ask("CLIENT UNPAUSE").expect("an answer");
    });
    assert_eq!(answer.status.as_u16(), 200, "{answer:?}");
    expect_gone_soon(service).await;
}

#[tokio::test]
async fn a_forced_shutdown_does_not_wait_for_requests_in_flight() {
    let group = redis(1, 0);
    let options = format!("DRAIN_SECS={AN_HOUR}\nREQUEST_DEADLINE_MS=60000");
    let service = Service::plain_with(&options, &redis_section(&group));
    until_ready(&service, "READY").await;
    let caller = service.caller().await;
    group.master(0).ask("CLIENT PAUSE 600000 WRITE").expect("an answer");
    let write = json!({"command": "WRITE", "key": "k", "value": "v"}).to_string();
    let request = caller.http.post(&caller.url).bearer_auth(&caller.token).body(write);
    let (answer, ()) = tokio::join!(request.send(), async {
        until_in_flight(&group).await;
        service.stop();
        until_closed(&service).await;
        service.stop();
        expect_gone_soon(service).await;
    });
    answer.expect_err("the service is gone");
}
