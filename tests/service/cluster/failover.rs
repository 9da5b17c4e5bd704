//! Masters that are replaced by a planned failover or after their death.

use super::{connections, load, read, serve, serve_within, until_ready, write};
use crate::harness::{Answer, Cluster, eventually, signal};
use crate::local_redis::RedisProcess;
use futures_util::future::join_all;
use serde_json::json;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_planned_cluster_failover_fails_no_request() {
    let cluster = Cluster::start(3, 1);
    let service = serve(&cluster);
    until_ready(&service, "READY").await;
    let caller = service.caller().await;
    let connected = connections(&cluster, 6);
    assert_eq!(connected.len(), 6);
    let keys: Vec<String> = (0..40).map(|number| format!("k{number}")).collect();
    let (stop, stopped) = tokio::sync::oneshot::channel();
    let working = {
        let (caller, keys) = (caller.clone(), keys.clone());
        tokio::spawn(async move { load(&caller, &keys, stopped).await })
    };
    let master = cluster.owner(&keys[0]);
    let replica = cluster.replicas(master).start;
    let cluster = tokio::task::spawn_blocking(move || {
        cluster.failover(replica);
        cluster
    })
    .await
    .expect("it takes over");
    eventually("the old master follows", async || (cluster.role(master) == "slave").then_some(())).await;
    let _told = stop.send(());
    assert!(working.await.expect("nothing fails") > 0);
    assert_eq!(connections(&cluster, 6), connected, "connections were not kept");
    caller.write(&keys[0], &json!("after")).await;
    assert_eq!(cluster.ask(replica, &format!("GET {}", keys[0])), "after");
    until_ready(&service, "READY").await;
}

#[tokio::test]
async fn reads_of_a_killed_master_go_on_and_its_writes_resume_after_the_failover() {
    let arguments = ["--cluster-require-full-coverage", "no", "--cluster-allow-reads-when-down", "yes"];
    let cluster = Cluster::start_with(3, 1, "", &arguments);
    let service = serve(&cluster);
    until_ready(&service, "READY").await;
    let caller = service.caller().await;
    let keys: Vec<String> = (0..60).map(|number| format!("k{number}")).collect();
    caller.fill(&keys).await;
    let lost = cluster.owner(&keys[0]);
    let successor = cluster.replicas(lost).start;
    eventually("the values are replicated", async || {
        (cluster.ask(successor, "DBSIZE") == cluster.ask(lost, "DBSIZE")).then_some(())
    })
    .await;
    let is_lost: Vec<bool> = keys.iter().map(|key| cluster.owner(key) == lost).collect();
    cluster.kill(lost);
    let mut refused = 0;
    let mut rounds = 0;
    eventually("the failover is over", async || {
        rounds += 1;
        for (key, is_lost) in keys.iter().zip(&is_lost) {
            assert_eq!(caller.read(key).await, Some(json!(key)), "{key}");
            let answer = caller.send(write(key, &json!(key)).to_string()).await;
            if !is_lost {
                assert_eq!(answer.status, 200, "{answer:?}");
            } else if answer.status != 200 {
                assert_eq!((answer.status.as_u16(), answer.header("retry-after")), (503, "1"), "{answer:?}");
                refused += 1;
            }
        }
        let replies = caller.run(keys.iter().map(|key| read(key)).collect()).await;
        for (key, reply) in keys.iter().zip(replies.as_array().expect("replies")) {
            assert_eq!(reply["value"], json!(key), "{reply}");
        }
        let answer = caller.send(write(&keys[0], &json!(keys[0])).to_string()).await;
        (answer.status == 200).then_some(())
    })
    .await;
    assert!(refused > 0, "the failover was over before anything was written");
    assert_eq!(cluster.role(successor), "master");
    for key in &keys {
        caller.write(key, &json!("after")).await;
        caller.until_read(key, Some(&json!("after"))).await;
    }
    // The old master returns as a replica.
    cluster.node(lost).start_again().expect("it starts");
    eventually("the old master follows", async || (cluster.role(lost) == "slave").then_some(())).await;
    until_ready(&service, "READY").await;
    for key in &keys {
        assert_eq!(caller.read(key).await, Some(json!("after")));
    }
}

#[tokio::test]
async fn a_paused_master_is_not_written_to_after_its_replacement() {
    let cluster = Cluster::start_with(3, 1, "", &["--cluster-require-full-coverage", "no"]);
    let service = serve_within(&cluster, 3000);
    until_ready(&service, "READY").await;
    let caller = service.caller().await;
    let (old, key) = (cluster.owner("foo"), "foo");
    let successor = cluster.replicas(old).start;
    caller.write(key, &json!("before")).await;
    let paused = Paused::new(cluster.node(old));
    eventually("the successor is written to", async || {
        let answer = caller.send(write(key, &json!("between")).to_string()).await;
        (answer.status == 200 && cluster.ask(successor, "GET foo") == "between").then_some(())
    })
    .await;
    drop(paused);
    // It reports to be a master until the other nodes announce its successor.
    for round in 0..200 {
        let value = format!("round {round}");
        caller.write(key, &json!(value)).await;
        assert_eq!(caller.read(key).await, Some(json!(value)));
        assert_eq!(cluster.ask(successor, "GET foo"), value);
    }
    eventually("the old master follows", async || (cluster.role(old) == "slave").then_some(())).await;
    until_ready(&service, "READY").await;
    caller.write(key, &json!("after")).await;
    assert_eq!(cluster.ask(successor, "GET foo"), "after");
}

/// A process that is paused until this is dropped.
struct Paused<'a>(&'a RedisProcess);

impl<'a> Paused<'a> {
    fn new(node: &'a RedisProcess) -> Self {
        signal("-STOP", node.process_id());
        Self(node)
    }
}

impl Drop for Paused<'_> {
    fn drop(&mut self) {
        signal("-CONT", self.0.process_id());
    }
}

#[tokio::test]
async fn a_cluster_that_is_down_makes_commands_fail_and_answers_no_miss() {
    let cluster = Cluster::start(3, 0);
    let service = serve_within(&cluster, 3000);
    until_ready(&service, "READY").await;
    let caller = service.caller().await;
    let keys: Vec<String> = (0..30).map(|number| format!("k{number}")).collect();
    caller.fill(&keys).await;
    let served: Vec<&String> = keys.iter().filter(|key| cluster.owner(key) != 2).collect();
    cluster.kill(2);
    eventually("the cluster is down", async || cluster.has_state(0, "fail").then_some(())).await;
    eventually("the cluster is down", async || cluster.has_state(1, "fail").then_some(())).await;
    // Concurrently, because each command is retried for a while.
    let commands = served.into_iter().take(2).flat_map(|key| [read(key), write(key, &json!("v"))]);
    let singly = join_all(commands.map(|command| caller.send(command.to_string()))).await;
    let batch = caller.run(keys.iter().take(3).map(|key| read(key)).collect()).await;
    // The deadline may pass while a node is asked once more.
    let codes = [json!("shard_unavailable"), json!("deadline_passed")];
    let replies = singly.iter().map(Answer::json).chain(batch.as_array().expect("replies").clone());
    for reply in replies {
        assert!(codes.contains(&reply["code"]), "{reply}");
    }
}
