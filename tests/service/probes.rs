//! `/version`, `/healthz`, `/readyz`, on both ports.

use crate::harness::{Answer, Caller, Service, eventually, redis, shared};
use serde_json::json;

#[tokio::test]
async fn probes_answer_on_both_ports_and_the_admin_port_serves_no_values() {
    let service = shared();
    let http = Caller::http().build().expect("a client");
    for base in [service.url(""), format!("http://{}", service.admin)] {
        let get = |path: &str| Answer::of(http.get(format!("{base}{path}")));
        assert_eq!(get("/version").await.json(), json!({"version": env!("CARGO_PKG_VERSION")}));
        assert_eq!(get("/healthz").await.json(), json!({"status": "OK"}));
        let ready = eventually("all of Redis is connected", async || {
            let answer = get("/readyz").await;
            (answer.json()["status"] == "READY").then_some(answer)
        })
        .await;
        assert_eq!((ready.status.as_u16(), ready.json()), (200, json!({"status": "READY"})));
        assert_eq!(Answer::of(http.head(format!("{base}/healthz"))).await.status.as_u16(), 200);
    }
    for path in ["/cache", "/login"] {
        let answer = Answer::of(http.post(format!("http://{}{path}", service.admin)).json(&json!({}))).await;
        answer.expect_error(404, "unknown_path");
    }
}

#[tokio::test]
async fn every_response_has_a_request_id_and_a_given_one_is_kept() {
    let service = shared();
    let http = Caller::http().build().expect("a client");
    let get = |id: Option<String>| {
        let request = http.get(service.url("/nowhere"));
        Answer::of(id.map_or(request.try_clone().expect("no body"), |id| request.header("x-request-id", id)))
    };
    let (one, other) = (get(None).await, get(None).await);
    assert_eq!(one.header("x-request-id").len(), 16);
    assert_ne!(one.header("x-request-id"), other.header("x-request-id"));
    assert_eq!(get(Some("trace-7".to_owned())).await.header("x-request-id"), "trace-7");
    assert_eq!(get(Some("x".repeat(200))).await.header("x-request-id").len(), 16);
}

#[tokio::test]
async fn a_service_without_redis_is_alive_and_not_ready_and_names_what_is_missing() {
    let service = Service::start("[shard:lonely]\nmaster=127.0.0.1:1\nreplicas=127.0.0.1:2\n");
    let http = Caller::http().build().expect("a client");
    assert_eq!(Answer::of(http.get(service.url("/healthz"))).await.status.as_u16(), 200);
    let ready = Answer::of(http.get(service.url("/readyz"))).await;
    assert_eq!((ready.status.as_u16(), ready.json()), (503, json!({"status": "NOT_READY"})), "strangers learn no more");
    let ready = Answer::of(http.get(format!("http://{}/readyz", service.admin))).await;
    assert_eq!(ready.status.as_u16(), 503);
    let problems =
        ["shard \"lonely\": the master is not reachable", "shard \"lonely\": 1 of 1 replicas are not reachable"];
    assert_eq!(ready.json(), json!({"status": "NOT_READY", "problems": problems}));
}

#[tokio::test]
async fn strangers_are_not_told_that_a_shard_is_incomplete() {
    let group = redis(1, 0);
    let (_, master, _) = group.shards().next().expect("a shard");
    let service = Service::start(&format!("[shard:a]\nmaster={master}\nreplicas=127.0.0.1:2\n"));
    let http = Caller::http().build().expect("a client");
    let get = async |base: String| Answer::of(http.get(format!("{base}/readyz"))).await;
    eventually("the service is ready", async || (get(service.url("")).await.status.as_u16() == 200).then_some(()))
        .await;
    assert_eq!(get(service.url("")).await.json(), json!({"status": "READY"}));
    assert_eq!(get(format!("http://{}", service.admin)).await.json()["status"], "DEGRADED");
}
