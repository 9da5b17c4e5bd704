//! Addresses in a plain list at which something else than a node of a shard answers.

use crate::harness::{Answer, Caller, SentinelOptions, Sentinels, Service, eventually, redis};
use crate::local_redis::{RedisGroup, RedisProcess, free_port};
use serde_json::json;

const HOST: &str = "127.0.0.1";

/// Starts a node of a Redis Cluster, as a process of the group.
fn cluster_node(group: &RedisGroup) -> RedisProcess {
    let arguments = |port: u16| {
        let (bus, file) = (free_port(HOST)?.to_string(), format!("nodes-{port}.conf"));
        let own = ["--cluster-enabled", "yes", "--cluster-port", &bus, "--cluster-config-file", &file];
        Ok(group.usual_arguments(port).into_iter().chain(own.map(str::to_owned)).collect())
    };
    group.start_node((HOST, None), &arguments).expect("the node starts")
}

/// Waits until `/readyz` names a problem; returns the answer.
async fn ready_with(service: &Service, problem: &str) -> Answer {
    let http = Caller::http().build().expect("a client");
    eventually(problem, async || {
        let answer = Answer::of(http.get(format!("http://{}/readyz", service.admin))).await;
        answer.text.contains(problem).then_some(answer)
    })
    .await
}

#[tokio::test]
async fn a_node_of_a_cluster_in_a_plain_list_is_not_ready() {
    let group = redis(1, 0);
    let node = cluster_node(&group);
    let service = Service::start(&format!("[shard:a]\nmaster={}\n", node.address));
    let problem = "1 of its addresses lead to a node of a Redis Cluster: list it in `cluster`";
    let answer = ready_with(&service, problem).await;
    assert_eq!((answer.status.as_u16(), &answer.json()["status"]), (503, &json!("NOT_READY")));
    assert!(!answer.text.contains(HOST), "an address leaks: {answer:?}");
    let read = service.caller().await.send(r#"{"command":"READ","key":"k"}"#).await;
    read.expect_error(503, "shard_unavailable");
}

#[tokio::test]
async fn a_sentinel_in_a_plain_list_is_not_ready_as_a_master_and_degraded_as_a_replica() {
    let group = redis(1, 0);
    let sentinels = Sentinels::start_with(&group, 2, SentinelOptions::default());
    let sentinel = sentinels.addresses().split(", ").next().expect("a sentinel").to_owned();
    let problem = "1 of its addresses lead to a sentinel, which holds no keys: list sentinels in `sentinels`";
    let service = Service::start(&format!("[shard:a]\nmaster={sentinel}\n"));
    let answer = ready_with(&service, problem).await;
    assert_eq!((answer.status.as_u16(), &answer.json()["status"]), (503, &json!("NOT_READY")));
    let service = Service::start(&format!("[shard:a]\nmaster={}\nreplicas={sentinel}\n", group.master(0).address));
    ready_with(&service, problem).await;
    let caller = service.caller().await;
    caller.write("k", &json!("v")).await;
    assert_eq!(caller.read("k").await, Some(json!("v")));
}
