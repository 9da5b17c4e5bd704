//! Masters that come back without their data, and nodes that do not say what they are.

#![expect(clippy::float_cmp, reason = "what is compared are whole numbers")]

use super::{expect_ok, follow, promote, until_ready};
use crate::harness::{Answer, Caller, MetricsPage, Service, eventually, redis, redis_section, start};
use crate::local_redis::{Layout, RedisGroup, RedisProcess};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const NO_HOLD_END: &str = "[redis]\nmaster_hold_secs=3600\n";

fn keys() -> Vec<String> {
    (0..20).map(|number| format!("k{number}")).collect()
}

/// Starts a service, and writes each key with itself as the value to the master and both replicas.
async fn with_values_on_all_nodes(group: &RedisGroup, options: &str) -> (Service, Caller) {
    let service = Service::plain(&format!("{options}{}", redis_section(group)));
    until_ready(&service, "READY").await;
    let caller = service.caller().await;
    for key in keys() {
        write_to_all(&caller, &key, &json!(key)).await;
    }
    (service, caller)
}

/// Writes a value to the master and both replicas.
async fn write_to_all(caller: &Caller, key: &str, value: &Value) {
    let write = json!({"command": "WRITE", "key": key, "value": value, "replicas": 2});
    eventually("both replicas confirm", async || {
        (caller.run(write.clone()).await["status"] == "SUCCESS").then_some(())
    })
    .await;
}

/// Keeps a replica from reaching its master again once the connection that it has is lost.
pub fn never_reconnects(replica: &RedisProcess) {
    expect_ok(replica, "CONFIG SET masteruser nobody");
    expect_ok(replica, "CONFIG SET masterauth wrong");
}

async fn write_answer(caller: &Caller) -> Answer {
    caller.send(json!({"command": "WRITE", "key": "after", "value": "v"}).to_string()).await
}

/// Waits until writes are refused with a message that contains the text.
pub async fn until_refused(caller: &Caller, text: &str) {
    eventually(&format!("writes are refused: {text}"), async || {
        let answer = write_answer(caller).await;
        (answer.status.as_u16() == 503 && answer.text.contains(text)).then_some(())
    })
    .await;
}

/// Waits until a write succeeds.
pub async fn until_written(caller: &Caller) {
    eventually("writes work", async || (write_answer(caller).await.status.as_u16() == 200).then_some(())).await;
}

/// Expects that a command is refused for now.
pub async fn expect_refused(caller: &Caller, command: Value) {
    let answer = caller.send(command.to_string()).await;
    answer.expect_error(503, "shard_unavailable");
    assert_eq!(answer.header("retry-after"), "1");
}

/// Reads a key with `"consistency":"master"`.
pub async fn strict_read(caller: &Caller, key: &str) -> Answer {
    caller.send(json!({"command": "READ", "key": key, "consistency": "master"}).to_string()).await
}

async fn expect_values(caller: &Caller) {
    for key in keys() {
        assert_eq!(caller.read(&key).await, Some(json!(key)), "an error was reported as a miss");
    }
    let replies = caller.run(keys().iter().map(|key| json!({"command": "READ", "key": key})).collect()).await;
    for (key, reply) in keys().iter().zip(replies.as_array().expect("replies")) {
        assert_eq!(reply["value"], json!(key), "{reply}");
    }
}

const HELD: &str = "came back without the data that its replicas have";

#[tokio::test]
async fn a_master_that_comes_back_empty_is_held_while_its_replicas_have_the_data() {
    let group = redis(1, 2);
    let (service, caller) = with_values_on_all_nodes(&group, "[redis]\nmaster_hold_secs=3\n").await;
    group.replicas(0).iter().for_each(never_reconnects);
    group.master(0).kill();
    group.master(0).start_again().expect("it starts");
    let back = Instant::now();
    // From the first moment on.
    let mut refused = 0;
    while back.elapsed() < Duration::from_secs(2) {
        expect_values(&caller).await;
        refused += u32::from(write_answer(&caller).await.expect_error(503, "shard_unavailable").text.contains(HELD));
        strict_read(&caller, "k1").await.expect_error(503, "shard_unavailable");
    }
    assert!(refused > 0, "writes are refused because of the master's standing");
    expect_refused(&caller, json!({"command": "DELETE", "key": "k1"})).await;
    assert_eq!(group.master(0).ask("DBSIZE").expect("an answer"), ":0");
    let page = MetricsPage::until(&service, "cachefront_shard_held", "shard=\"a\"", |held| held == 1.0).await;
    assert_eq!(page.sum("cachefront_shard_writable", "shard=\"a\""), 0.0);

    // Nobody promotes a replica, so the master is accepted in the end.
    until_written(&caller).await;
    assert!(back.elapsed() > Duration::from_secs(2));
    assert_eq!(group.master(0).ask("DBSIZE").expect("an answer"), ":1");
    let page = MetricsPage::of(&service).await;
    assert_eq!(page.sum("cachefront_shard_held", "shard=\"a\""), 0.0);
    assert_eq!(caller.read("k1").await, None);
}

#[tokio::test]
async fn a_replica_that_is_promoted_in_place_of_a_held_master_saves_the_data() {
    let group = redis(1, 2);
    let (service, caller) = with_values_on_all_nodes(&group, NO_HOLD_END).await;
    let [successor, other] = group.replicas(0) else { panic!("two replicas") };
    group.replicas(0).iter().for_each(never_reconnects);
    group.master(0).kill();
    group.master(0).start_again().expect("it starts");
    until_refused(&caller, HELD).await;
    expect_ok(successor, "REPLICAOF NO ONE");
    let promoted = Instant::now();
    until_written(&caller).await;
    assert!(promoted.elapsed() < Duration::from_secs(2), "it took {:?}", promoted.elapsed());
    expect_values(&caller).await;
    assert_eq!(strict_read(&caller, "k1").await.json()["value"], "k1");
    for node in [other, group.master(0)] {
        expect_ok(node, "CONFIG SET masteruser \"\"");
        expect_ok(node, "CONFIG SET masterauth \"\"");
        follow(node, successor);
    }
    until_ready(&service, "READY").await;
    expect_values(&caller).await;
}

#[tokio::test]
async fn a_held_master_is_accepted_once_no_replica_has_the_data() {
    let group = redis(1, 2);
    let (service, caller) = with_values_on_all_nodes(&group, NO_HOLD_END).await;
    group.master(0).kill();
    group.master(0).start_again().expect("it starts");
    // The replicas drop their data within about a second; until then they answer.
    let has_data =
        || group.replicas(0).iter().all(|replica| replica.ask("EXISTS k1").is_ok_and(|answer| answer == ":1"));
    let mut reads = 0;
    while has_data() {
        let read = caller.read("k1").await;
        assert!(read == Some(json!("k1")) || !has_data(), "an error was reported as a miss");
        reads += 1;
    }
    assert!(reads > 0, "the replicas were empty before they could be read");
    until_written(&caller).await;
    until_ready(&service, "READY").await;
    caller.until_read("k1", None).await;
}

/// Writes a file of the master's data as it is now.
fn save(node: &RedisProcess) {
    expect_ok(node, "SAVE");
}

#[tokio::test]
async fn a_master_that_comes_back_from_an_old_file_loses_no_acknowledged_write_silently() {
    // A node takes its time to read its file: 20 keys of 20 ms each.
    let slow = ["--key-load-delay", "20000", "--loading-process-events-interval-bytes", "1024"];
    let group = start(&Layout { replicas: 2, arguments: slow.map(str::to_owned).to_vec(), ..Layout::default() });
    let (_service, caller) = with_values_on_all_nodes(&group, NO_HOLD_END).await;
    let master = group.master(0);
    save(master);
    for key in ["k0", "k1", "late"] {
        write_to_all(&caller, key, &json!("new")).await;
    }
    group.replicas(0).iter().for_each(never_reconnects);
    master.kill();
    master.start_again().expect("it starts");
    until_refused(&caller, HELD).await;
    for key in ["k0", "k1", "late"] {
        assert_eq!(caller.read(key).await, Some(json!("new")));
    }
    assert_eq!(master.ask("GET k0").expect("an answer"), "k0");
    promote(&group.replicas(0)[0], &[]);
    until_written(&caller).await;
    for key in ["k0", "k1", "late"] {
        assert_eq!(strict_read(&caller, key).await.json()["value"], "new");
    }
}

#[tokio::test]
async fn a_master_that_comes_back_with_all_its_data_is_used_at_once() {
    let group = redis(1, 2);
    let (_service, caller) = with_values_on_all_nodes(&group, NO_HOLD_END).await;
    group.replicas(0).iter().for_each(never_reconnects);
    save(group.master(0));
    group.master(0).kill();
    group.master(0).start_again().expect("it starts");
    until_written(&caller).await;
    expect_values(&caller).await;
}

#[tokio::test]
async fn a_replica_that_was_restarted_as_a_master_takes_nothing_over_though_a_replica_follows_it() {
    let group = redis(1, 0);
    let first = group.add(&[]).expect("it starts");
    let second = group.add(&["--replicaof", "127.0.0.1", &first.address.port.to_string()]).expect("it starts");
    let master = group.master(0);
    // The master ← the first replica ← the second one.
    follow(&first, master);
    let nodes = format!("master={}\nreplicas={}, {}", master.address, first.address, second.address);
    let service = Service::plain(&format!("[shard:a]\n{nodes}\n"));
    until_ready(&service, "READY").await;
    let caller = service.caller().await;
    caller.write("k", &json!("v1")).await;
    eventually("the value is replicated", async || (second.ask("GET k").ok()? == "v1").then_some(())).await;
    expect_ok(&first, "SAVE");
    first.kill();
    caller.write("k", &json!("v2")).await;
    first.start_again().expect("it starts");
    eventually("the second replica follows it", async || (first.info("connected_slaves")? == "1").then_some(())).await;
    assert_eq!(first.info("role").as_deref(), Some("master"));
    MetricsPage::until(&service, "cachefront_shard_contested", "shard=\"a\"", |contested| contested == 1.0).await;
    for round in 0..50 {
        let key = format!("k{round}");
        caller.write(&key, &json!("v")).await;
        assert_eq!(caller.read(&key).await, Some(json!("v")));
        assert_eq!(caller.read("k").await, Some(json!("v2")), "an old value was read");
        assert_eq!(strict_read(&caller, "k").await.json()["value"], "v2");
    }
    assert_eq!(master.ask("DBSIZE").expect("an answer"), ":51");
    assert_eq!(first.ask("DBSIZE").expect("an answer"), ":1");
}

#[tokio::test]
async fn a_replica_that_does_not_tell_its_role_is_not_read() {
    let group = start(&Layout { replicas: 1, ..Layout::default() });
    let (master, replica) = (group.master(0), &group.replicas(0)[0]);
    for node in [master, replica] {
        expect_ok(node, "ACL SETUSER limited on >password-of-limited ~* +@all -info");
    }
    let section = "[redis]\nusername=limited\npassword=password-of-limited\n";
    let service = Service::plain(&format!("{section}{}", redis_section(&group)));
    let caller = service.caller().await;
    let http = Caller::plain_http();
    eventually("/readyz has the reason", async || {
        let ready = Answer::of(http.get(format!("http://{}/readyz", service.admin))).await;
        ready.text.contains("1 replicas are not read, because they refuse INFO").then_some(())
    })
    .await;
    for key in keys() {
        caller.write(&key, &json!(key)).await;
    }
    // It has lost its master, and all data.
    expect_ok(replica, "REPLICAOF 127.0.0.1 1");
    expect_ok(replica, "CONFIG SET replica-read-only no");
    expect_ok(replica, "FLUSHALL");
    for key in keys() {
        assert_eq!(caller.read(&key).await, Some(json!(key)), "an error was reported as a miss");
    }
}
