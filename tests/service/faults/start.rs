//! Starting and stopping at inconvenient times.

use super::until_ready;
use crate::harness::{Answer, Caller, Service, eventually, redis, redis_section};
use serde_json::json;

#[tokio::test]
async fn the_service_starts_without_redis_and_recovers_on_its_own() {
    let group = redis(1, 1);
    group.master(0).kill();
    group.replicas(0)[0].kill();
    let service = Service::plain(&redis_section(&group));
    let caller = service.caller().await;
    let read = json!({"command": "READ", "key": "k"});
    let answer = caller.send(read.to_string()).await;
    answer.expect_error(503, "shard_unavailable");
    assert_eq!(answer.header("retry-after"), "1");
    let replies = caller.run(json!([read])).await;
    assert_eq!(replies[0]["code"], "shard_unavailable");
    until_ready(&service, "NOT_READY").await;

    group.master(0).start_again().expect("it starts");
    group.replicas(0)[0].start_again().expect("it starts");
    until_ready(&service, "READY").await;
    caller.write("k", &json!("v")).await;
    caller.until_read("k", Some(&json!("v"))).await;
}

#[tokio::test]
async fn a_stopped_service_finishes_its_requests() {
    let group = redis(1, 0);
    let service = Service::plain_with("REQUEST_DEADLINE_MS=4000", &redis_section(&group));
    until_ready(&service, "READY").await;
    let caller = service.caller().await;
    // Redis holds its answer to writes back, so that the request is in flight when the service is stopped.
    group.master(0).ask("CLIENT PAUSE 1000 WRITE").expect("an answer");
    let write = json!({"command": "WRITE", "key": "k", "value": "v"}).to_string();
    let (answer, ()) = tokio::join!(caller.send(write), async {
        eventually("the command waits in Redis", async || {
            group.master(0).ask("CLIENT LIST").expect("an answer").contains(" cmd=set ").then_some(())
        })
        .await;
        service.stop();
        // The port that is still open reports it.
        let http = Caller::plain_http();
        eventually("/readyz says that it is shutting down", async || {
            let ready = Answer::of(http.get(format!("http://{}/readyz", service.admin))).await;
            (ready.status.as_u16() == 503 && ready.text.contains("the service is shutting down")).then_some(())
        })
        .await;
    });
    assert_eq!(answer.status.as_u16(), 200, "{answer:?}");
    let address = service.address;
    tokio::task::spawn_blocking(move || service.wait()).await.expect("it stops");
    std::net::TcpStream::connect(address).expect_err("nobody listens any more");
    assert_eq!(group.master(0).ask("GET k").expect("an answer"), "v");
}
