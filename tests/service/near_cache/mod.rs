//! The near cache: the reads that it saves, and its invalidation.

mod coherence;
mod ring_changes;

use crate::harness::{
    Caller, Cluster, Mode, Proxy, Service, UNDISTURBED, calls, eventually, redis, redis_section, until_replicated,
};
use crate::local_redis::{RedisGroup, RedisProcess};
use futures_util::future::join_all;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// Values are cached for an hour, so that only invalidations end it.
pub const CACHED_FOR_AN_HOUR: &str = "[near_cache]\nenabled=true\nage_max_ms=3600000\n";

/// Starts a service with a near cache in front of a master and a replica.
async fn caching_service() -> (RedisGroup, Service, Caller) {
    let group = redis(1, 1);
    until_replicated(&group).await;
    let sections = format!("{CACHED_FOR_AN_HOUR}{UNDISTURBED}{}", redis_section(&group));
    let service = Service::start(&sections);
    let caller = service.caller().await;
    (group, service, caller)
}

fn read(key: &str) -> Value {
    json!({"command": "READ", "key": key})
}

fn gets(group: &RedisGroup) -> u64 {
    std::iter::once(group.master(0)).chain(group.replicas(0)).map(|node| calls(node, "get")).sum()
}

/// Reads a key until its expected value is cached, so that another read reaches no node.
async fn until_cached(caller: &Caller, group: &RedisGroup, key: &str, expected: Option<&Value>) {
    eventually("it is cached", async || {
        let right = caller.read(key).await.as_ref() == expected;
        let before = gets(group);
        (right && caller.read(key).await.as_ref() == expected && gets(group) == before).then_some(())
    })
    .await;
}

#[tokio::test]
async fn repeated_reads_of_values_and_misses_reach_no_node() {
    let (group, _service, caller) = caching_service().await;
    // By another client, because changes through the service exclude replicas for a while.
    assert_eq!(group.master(0).ask("MSET k plain number 7").expect("an answer"), "+OK");
    until_cached(&caller, &group, "k", Some(&json!("plain"))).await;
    until_cached(&caller, &group, "number", Some(&json!("7"))).await;
    until_cached(&caller, &group, "missing", None).await;
    let before = gets(&group);
    for _ in 0..50 {
        assert_eq!(caller.read("k").await, Some(json!("plain")));
        let batch = caller.run(json!([read("missing"), read("k"), read("number"), read("k")])).await;
        let statuses: Vec<_> = (0..4).map(|at| batch[at]["status"].as_str().unwrap_or_default()).collect();
        assert_eq!(statuses, ["NOT_FOUND", "SUCCESS", "SUCCESS", "SUCCESS"]);
    }
    assert_eq!(gets(&group), before);
    // A read with master consistency reaches the master.
    let answer = caller.run(json!({"command": "READ", "key": "k", "consistency": "master"})).await;
    assert_eq!((&answer["value"], gets(&group)), (&json!("plain"), before + 1));
}

#[tokio::test]
async fn keys_that_are_read_once_are_not_tracked() {
    let (group, _service, caller) = caching_service().await;
    for number in 0..20 {
        caller.read(&format!("once-{number}")).await;
    }
    let tracked: u64 = group.replicas(0)[0].info("tracking_total_keys").expect("a field").parse().expect("a number");
    assert_eq!(tracked, 0);
}

#[tokio::test]
async fn a_batch_fills_the_near_cache_and_reads_its_own_changes() {
    let (group, _service, caller) = caching_service().await;
    caller.write("k", &json!("old")).await;
    let both = json!([read("k"), read("other")]);
    eventually("it is cached", async || {
        caller.run(both.clone()).await;
        let before = gets(&group);
        let batch = caller.run(both.clone()).await;
        (batch[0]["value"] == "old" && batch[1]["status"] == "NOT_FOUND" && gets(&group) == before).then_some(())
    })
    .await;
    let write = json!({"command": "WRITE", "key": "k", "value": "new"});
    let batch = caller.run(json!([read("k"), write, read("k"), {"command": "DELETE", "key": "k"}, read("k")])).await;
    assert_eq!(
        (&batch[0]["value"], &batch[2]["value"], &batch[4]["status"]),
        (&json!("old"), &json!("new"), &json!("NOT_FOUND"))
    );
    assert_eq!(caller.read("k").await, None);
}

#[tokio::test]
async fn a_change_through_an_instance_is_visible_through_it_at_once() {
    let group = redis(1, 1);
    until_replicated(&group).await;
    // The invalidation and the acknowledgement use different connections if callers meet different workers.
    let service = Service::start_with("WORKERS=8", &format!("{CACHED_FOR_AN_HOUR}{}", redis_section(&group)));
    let mut callers = Vec::new();
    for _ in 0..8 {
        callers.push(service.caller().await);
    }
    for number in 0..100 {
        callers[number % 8].write("k", &json!(number)).await;
        for reader in 1..4 {
            // From its third read on, a worker has a handle of its own on the value.
            for _ in 0..4 {
                assert_eq!(callers[(number + reader) % 8].read("k").await, Some(json!(number)));
            }
        }
        if number % 3 == 0 {
            callers[number % 8].run(json!({"command": "DELETE", "key": "k"})).await;
            assert_eq!(
                [callers[(number + 1) % 8].read("k").await, callers[(number + 2) % 8].read("k").await],
                [None, None]
            );
        }
    }
}

#[tokio::test]
async fn changes_by_other_redis_clients_become_visible() {
    let (group, _service, caller) = caching_service().await;
    let master = group.master(0);
    let change = |command: &str| assert!(!master.ask(command).expect("an answer").starts_with('-'));
    until_cached(&caller, &group, "k", None).await;
    let changes: [(&str, Option<Value>); 6] = [
        ("SET k one", Some(json!("one"))),
        ("APPEND k -and-more", Some(json!("one-and-more"))),
        ("UNLINK k", None),
        ("SET k two", Some(json!("two"))),
        ("FLUSHALL", None),
        // This value expires.
        ("SET k three PX 400", Some(json!("three"))),
    ];
    for (command, expected) in changes {
        change(command);
        caller.until_read("k", expected.as_ref()).await;
        if command.contains("PX") {
            caller.until_read("k", None).await;
        } else {
            until_cached(&caller, &group, "k", expected.as_ref()).await;
        }
    }
}

/// Starts a service that reads from a replica through a proxy.
async fn service_behind_proxy() -> (RedisGroup, Proxy, Service, Caller) {
    let group = redis(1, 1);
    until_replicated(&group).await;
    let path = Proxy::in_front_of(&group.replicas(0)[0].address);
    let nodes = format!("[shard:a]\nmaster={}\nreplicas={}\n", group.master(0).address, path.address);
    let service = Service::start(&format!("{CACHED_FOR_AN_HOUR}{nodes}"));
    let caller = service.caller().await;
    (group, path, service, caller)
}

#[tokio::test]
async fn values_of_a_lost_connection_are_invalidated() {
    let (group, path, _service, caller) = service_behind_proxy().await;
    let (master, replica) = (group.master(0), &group.replicas(0)[0]);
    for round in 0..5 {
        let (old, new) = (json!(format!("old-{round}")), json!(format!("new-{round}")));
        // By another client, so that the service may read from the replica.
        assert_eq!(master.ask(&format!("SET k old-{round}")).expect("an answer"), "+OK");
        until_cached(&caller, &group, "k", Some(&old)).await;
        // The invalidation of the replica does not arrive: the path is closed.
        path.set(Mode::Refuse);
        until_reads_at(&caller, master).await;
        assert_eq!(master.ask(&format!("SET k new-{round}")).expect("an answer"), "+OK");
        eventually("it is replicated", async || (replica.ask("GET k").ok()? == format!("new-{round}")).then_some(()))
            .await;
        path.set(Mode::Pass);
        until_reads_at(&caller, replica).await;
        for _ in 0..20 {
            assert_eq!(caller.read("k").await, Some(new.clone()));
        }
    }
}

/// Waits until another key is read from that node.
async fn until_reads_at(caller: &Caller, node: &RedisProcess) {
    let mut number = 0;
    eventually("the node is read", async || {
        number += 1;
        let before = calls(node, "get");
        caller.read(&format!("probe-{number}")).await;
        (calls(node, "get") > before).then_some(())
    })
    .await;
}

#[tokio::test]
async fn values_of_a_hanging_node_are_invalidated_soon() {
    let (group, path, _service, caller) = service_behind_proxy().await;
    assert_eq!(group.master(0).ask("SET k old").expect("an answer"), "+OK");
    until_cached(&caller, &group, "k", Some(&json!("old"))).await;
    path.set(Mode::BlackHole);
    assert_eq!(group.master(0).ask("SET k new").expect("an answer"), "+OK");
    let start = Instant::now();
    caller.until_read("k", Some(&json!("new"))).await;
    let took = start.elapsed();
    assert!(took < Duration::from_secs(10), "{took:?}: three attempts' time is 750 ms, and it is asked every 250 ms");
    path.set(Mode::Pass);
    for _ in 0..20 {
        assert_eq!(caller.read("k").await, Some(json!("new")));
    }
}

#[tokio::test]
async fn concurrent_misses_of_a_key_share_one_fetch() {
    let (group, path, _service, caller) = service_behind_proxy().await;
    caller.write("k", &json!("v")).await;
    until_cached(&caller, &group, "k", Some(&json!("v"))).await;
    assert_eq!(group.master(0).ask("SET k w").expect("an answer"), "+OK");
    caller.until_read("k", Some(&json!("w"))).await;
    let before = gets(&group);
    path.set(Mode::Delay(Duration::from_millis(100)));
    assert_eq!(group.master(0).ask("SET k x").expect("an answer"), "+OK");
    let replica = &group.replicas(0)[0];
    eventually("it is replicated", async || (replica.ask("GET k").ok()? == "x").then_some(())).await;
    let before_own = gets(&group) - before;
    let values = eventually("the word has come", async || {
        let values = join_all((0..100).map(|_| caller.read("k"))).await;
        values.iter().any(|value| *value == Some(json!("x"))).then_some(values)
    })
    .await;
    assert_eq!(values.len(), 100);
    let asked = gets(&group) - before - before_own;
    assert!(asked <= 5, "{asked} reads reached a node");
}

#[tokio::test]
async fn a_node_without_client_tracking_is_read_each_time() {
    let group = redis(1, 1);
    until_replicated(&group).await;
    for node in std::iter::once(group.master(0)).chain(group.replicas(0)) {
        let user = "ACL SETUSER plain on >password-of-plain ~* &* +@all -client|tracking";
        assert_eq!(node.ask(user).expect("an answer"), "+OK");
    }
    let sections = format!(
        "{CACHED_FOR_AN_HOUR}{UNDISTURBED}username=plain\npassword=password-of-plain\n{}",
        redis_section(&group)
    );
    let service = Service::start(&sections);
    let caller = service.caller().await;
    caller.write("k", &json!("v")).await;
    let before = gets(&group);
    for _ in 0..10 {
        assert_eq!(caller.read("k").await, Some(json!("v")));
    }
    assert_eq!(gets(&group), before + 10);
}

#[tokio::test]
async fn cached_sealed_values_are_opened_with_the_current_keys() {
    let group = redis(1, 1);
    until_replicated(&group).await;
    for keep_opened in [false, true] {
        let key = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeef0";
        let sections = format!("{CACHED_FOR_AN_HOUR}keep_opened={keep_opened}\n{}", redis_section(&group));
        let service = Service::start_with(&format!("ENCRYPTION_KEY={key}"), &sections);
        let caller = service.caller().await;
        caller.run(json!({"command": "WRITE", "key": "k", "value": "secret", "encrypt": true})).await;
        until_cached(&caller, &group, "k", Some(&json!("secret"))).await;
        service.edit(|text| text.replace("00112233", "ffeeddcc"));
        service.reload();
        eventually("it opens no more", async || {
            let reply = caller.send(read("k").to_string()).await;
            (reply.json()["code"] == "decryption_failed").then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn values_of_a_moved_slot_are_invalidated() {
    let cluster = Cluster::start(2, 0);
    let service = Service::start(&format!("{CACHED_FOR_AN_HOUR}{}", cluster.section()));
    let caller = service.caller().await;
    eventually("it serves", async || {
        let reply = caller.send(json!({"command": "WRITE", "key": "k", "value": "old"}).to_string()).await;
        (reply.status.as_u16() == 200).then_some(())
    })
    .await;
    let from = cluster.owner("k");
    let to = 1 - from;
    let gets = |node: usize| calls(cluster.node(node), "get");
    eventually("it is cached", async || {
        let before = gets(from);
        let read = caller.read("k").await;
        (read == Some(json!("old")) && gets(from) == before).then_some(())
    })
    .await;
    cluster.move_slot(cluster.slot("k"), from, to);
    cluster.ok(to, "SET k new");
    caller.until_read("k", Some(&json!("new"))).await;
    for _ in 0..20 {
        assert_eq!(caller.read("k").await, Some(json!("new")));
    }
}
