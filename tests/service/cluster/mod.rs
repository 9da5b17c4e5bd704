//! Redis Cluster: routing, and moves of slots and masters.

mod failover;
mod own_changes;
mod slots;
mod start;

use crate::harness::{self, Answer, Caller, Cluster, Service, eventually};
use serde_json::{Value, json};

/// Starts a service with a long deadline, because these tests are not about deadlines.
fn serve(cluster: &Cluster) -> Service {
    serve_within(cluster, 10_000)
}

/// Starts a service with a deadline for requests that some of them exceed.
fn serve_within(cluster: &Cluster, deadline_ms: u32) -> Service {
    Service::plain_with(
        &format!("REQUEST_DEADLINE_MS={deadline_ms}"),
        &format!("{}attempt_timeout_ms=2000\nconnections_per_node=1\n", cluster.section()),
    )
}

fn write(key: &str, value: &Value) -> Value {
    json!({"command": "WRITE", "key": key, "value": value})
}

fn read(key: &str) -> Value {
    json!({"command": "READ", "key": key})
}

/// Returns the number of times that a node has run a command.
fn calls(cluster: &Cluster, node: usize, command: &str) -> u64 {
    harness::calls(cluster.node(node), command)
}

fn keys_in(cluster: &Cluster, node: usize) -> usize {
    cluster.ask(node, "DBSIZE")[1..].parse().expect("a number")
}

/// Returns the connections of the service to all nodes; only they speak RESP3.
fn connections(cluster: &Cluster, nodes: usize) -> Vec<String> {
    let of = |node: usize| {
        let clients = cluster.ask(node, "CLIENT LIST TYPE normal");
        let ours = clients.lines().filter(|line| line.contains(" resp=3")).filter_map(|line| line.split(' ').next());
        ours.map(|id| format!("node {node} {id}")).collect::<Vec<_>>()
    };
    (0..nodes).flat_map(of).collect()
}

/// Returns the body of `/readyz`.
async fn readiness(service: &Service) -> Answer {
    let http = Caller::plain_http();
    Answer::of(http.get(format!("http://{}/readyz", service.admin))).await
}

async fn until_ready(service: &Service, status: &str) {
    eventually(&format!("/readyz says {status}"), async || {
        (readiness(service).await.json()["status"] == status).then_some(())
    })
    .await;
}

/// Writes and reads keys, singly and in batches, until `stopped`; none may fail or read a wrong value.
async fn load(caller: &Caller, keys: &[String], mut stop: tokio::sync::oneshot::Receiver<()>) -> usize {
    let mut round = 0;
    while stop.try_recv().is_err() {
        round += 1;
        for key in keys.iter().skip(round % 7).step_by(7) {
            caller.write(key, &json!(round)).await;
            assert_eq!(caller.read(key).await, Some(json!(round)), "{key} in round {round}");
        }
        let batch = keys.iter().flat_map(|key| [write(key, &json!(-1)), write(key, &json!(round)), read(key)]);
        let replies = caller.run(batch.collect()).await;
        for (key, replies) in keys.iter().zip(replies.as_array().expect("replies").chunks(3)) {
            assert!(replies.iter().all(|reply| reply["status"] == "SUCCESS"), "{key} in round {round}: {replies:?}");
            assert_eq!(replies[2]["value"], json!(round), "{key} in round {round}");
        }
        let replies = caller.run(keys.iter().map(|key| read(key)).collect()).await;
        for (key, reply) in keys.iter().zip(replies.as_array().expect("replies")) {
            assert_eq!(reply["value"], json!(round), "{key} in round {round}: {reply}");
        }
    }
    round
}
