//! Slots that move from node to node.

use super::{calls, connections, load, read, serve, until_ready, write};
use crate::harness::{Caller, Cluster, Service, eventually};
use serde_json::json;

/// Keys of one slot, together with one of another that nobody moves.
fn tagged(number: usize) -> Vec<String> {
    (0..number).map(|number| format!("{{moving}}:{number}")).collect()
}

async fn expect_values(caller: &Caller, keys: &[String], value: &str) {
    for key in keys {
        assert_eq!(caller.read(key).await, Some(json!(value)), "{key}");
    }
    let replies = caller.run(keys.iter().map(|key| read(key)).collect()).await;
    for (key, reply) in keys.iter().zip(replies.as_array().expect("replies")) {
        assert_eq!(reply["value"], json!(value), "{key}: {reply}");
    }
}

/// Waits until the replicas answer reads of keys that were written before.
async fn until_replicas_answer(cluster: &Cluster, caller: &Caller, master: usize, keys: &[String]) {
    eventually("replicas answer", async || {
        let before = calls(cluster, master, "get");
        expect_values(caller, keys, "first").await;
        (calls(cluster, master, "get") == before).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_slot_that_is_being_moved_is_read_and_written() {
    let cluster = Cluster::start(2, 1);
    let service = serve(&cluster);
    until_ready(&service, "READY").await;
    let caller = service.caller().await;
    let keys = tagged(40);
    caller.run(keys.iter().map(|key| write(key, &json!("first"))).collect()).await;
    let from = cluster.owner("moving");
    let to = 1 - from;
    until_replicas_answer(&cluster, &caller, from, &keys).await;

    let slot = cluster.slot("moving");
    cluster.open_slot(slot, from, to);
    keys.iter().step_by(2).for_each(|key| cluster.move_key(key, from, to));
    // Also the keys that the old owner and its replica no longer have.
    expect_values(&caller, &keys, "first").await;
    assert!(calls(&cluster, to, "asking") >= 40, "nothing was redirected");
    assert_eq!(caller.read("{moving}:nothing").await, None);

    for key in keys.iter().take(10) {
        caller.write(key, &json!("second")).await;
    }
    let changes = keys.iter().skip(10).flat_map(|key| {
        let delete = json!({"command": "DELETE", "key": key});
        [write(key, &json!("other")), read(key), delete, read(key), write(key, &json!("second")), read(key)]
    });
    let replies = caller.run(changes.collect()).await;
    for replies in replies.as_array().expect("replies").chunks(6) {
        let statuses: Vec<_> = replies.iter().map(|reply| reply["status"].as_str().unwrap_or_default()).collect();
        assert_eq!(statuses, ["SUCCESS", "SUCCESS", "SUCCESS", "NOT_FOUND", "SUCCESS", "SUCCESS"], "{replies:?}");
        assert_eq!((&replies[1]["value"], &replies[5]["value"]), (&json!("other"), &json!("second")));
    }
    expect_values(&caller, &keys, "second").await;

    for key in &keys {
        cluster.move_key(key, from, to);
    }
    expect_values(&caller, &keys, "second").await;
    cluster.close_slot(slot, from, to);
    expect_values(&caller, &keys, "second").await;
    eventually("the new owner is known", async || {
        let before = calls(&cluster, from, "set");
        caller.write(&keys[0], &json!("third")).await;
        (calls(&cluster, from, "set") == before).then_some(())
    })
    .await;
    assert_eq!(cluster.ask(to, &format!("GET {}", keys[0])), "third");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slots_that_move_to_and_fro_under_load_are_noticed_by_nobody() {
    let cluster = Cluster::start(2, 1);
    let service = serve(&cluster);
    until_ready(&service, "READY").await;
    let caller = service.caller().await;
    let connected = connections(&cluster, 4);
    assert_eq!(connected.len(), 4);
    let mut keys = tagged(30);
    keys.extend((0..10).map(|number| format!("resting:{number}")));
    let (stop, stopped) = tokio::sync::oneshot::channel();
    let working = {
        let (caller, keys) = (caller.clone(), keys.clone());
        tokio::spawn(async move { load(&caller, &keys, stopped).await })
    };
    let slot = cluster.slot("moving");
    let mut from = cluster.owner("moving");
    let cluster = tokio::task::spawn_blocking(move || {
        for _ in 0..6 {
            let to = 1 - from;
            cluster.open_slot(slot, from, to);
            // Those that were written since, too.
            (0..3).for_each(|_| tagged(30).iter().for_each(|key| cluster.move_key(key, from, to)));
            assert_eq!(cluster.ask(from, &format!("CLUSTER COUNTKEYSINSLOT {slot}")), ":0");
            cluster.close_slot(slot, from, to);
            from = to;
        }
        cluster
    })
    .await
    .expect("the slot moves");
    let _told = stop.send(());
    let rounds = working.await.expect("nothing fails");
    assert_eq!(connections(&cluster, 4), connected, "connections were not kept");
    assert!(rounds > 0 && calls(&cluster, 0, "asking") + calls(&cluster, 1, "asking") > 0);
}

#[tokio::test]
async fn a_node_that_joins_is_used_as_soon_as_it_gets_a_key() {
    let mut cluster = Cluster::start(2, 0);
    let service = serve(&cluster);
    until_ready(&service, "READY").await;
    let caller = service.caller().await;
    let keys = tagged(20);
    caller.run(keys.iter().map(|key| write(key, &json!("first"))).collect()).await;
    let (slot, from) = (cluster.slot("moving"), cluster.owner("moving"));
    let new = cluster.add();
    cluster.open_slot(slot, from, new);
    keys.iter().step_by(2).for_each(|key| cluster.move_key(key, from, new));
    expect_values(&caller, &keys, "first").await;
    for key in &keys {
        caller.write(key, &json!("second")).await;
    }
    for key in &keys {
        cluster.move_key(key, from, new);
    }
    cluster.close_slot(slot, from, new);
    expect_values(&caller, &keys, "second").await;
    eventually("the new shard is one of those that are watched", async || {
        let readiness = super::readiness(&service).await;
        (readiness.json()["status"] == "READY" && caller.read(&keys[0]).await == Some(json!("second"))).then_some(())
    })
    .await;
    cluster.kill(new);
    eventually("readiness names the lost shard by its slots", async || {
        let text = super::readiness(&service).await.text;
        text.contains(&format!("shard \\\"{slot}\\\": the master is not reachable")).then_some(())
    })
    .await;
}

/// Only the lost master would say that the keys are at the new owner, and its replica does not know.
#[tokio::test]
async fn a_key_that_moved_before_its_master_was_lost_is_not_reported_as_missing() {
    let arguments = ["--cluster-require-full-coverage", "no", "--cluster-allow-reads-when-down", "yes"];
    let cluster = Cluster::start_with(3, 1, "", &arguments);
    let service = Service::plain(&format!("{}attempt_timeout_ms=100\n", cluster.section()));
    until_ready(&service, "READY").await;
    let caller = service.caller().await;
    let keys = tagged(20);
    caller.run(keys.iter().map(|key| write(key, &json!("first"))).collect()).await;
    let (slot, from) = (cluster.slot("moving"), cluster.owner("moving"));
    let to = (from + 1) % 3;
    until_replicas_answer(&cluster, &caller, from, &keys).await;
    cluster.open_slot(slot, from, to);
    keys.iter().step_by(2).for_each(|key| cluster.move_key(key, from, to));
    let replica = cluster.replicas(from).start;
    eventually("the moved keys are gone from the replica", async || {
        (cluster.ask(replica, "DBSIZE") == format!(":{}", keys.len() / 2)).then_some(())
    })
    .await;
    cluster.kill(from);
    while cluster.role(replica) == "slave" {
        for (number, key) in keys.iter().enumerate() {
            let answer = caller.send(read(key).to_string()).await;
            if cluster.role(replica) != "slave" {
                break;
            }
            let is_moved = number % 2 == 0;
            assert_eq!(answer.status, if is_moved { 503 } else { 200 }, "{key}: {answer:?}");
        }
        let replies = caller.run(keys.iter().map(|key| read(key)).collect()).await;
        let statuses = replies.as_array().expect("replies").iter().map(|reply| reply["status"].as_str());
        assert!(
            cluster.role(replica) != "slave" || !statuses.flatten().any(|status| status == "NOT_FOUND"),
            "{replies}"
        );
    }
}
