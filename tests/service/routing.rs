//! Routing of commands, as the nodes count them.

use crate::harness::{Service, UNDISTURBED, calls, eventually, redis, redis_section};
use crate::local_redis::{RedisGroup, RedisProcess};
use serde_json::{Value, json};

fn keys_in(node: &RedisProcess) -> u64 {
    node.ask("DBSIZE").expect("an answer")[1..].parse().expect("a number")
}

fn write(key: &str) -> Value {
    json!({"command": "WRITE", "key": key, "value": "v", "expire": 0})
}

#[tokio::test]
async fn writes_go_to_the_master_and_reads_to_replicas() {
    let group = redis(1, 3);
    let service = Service::plain(&format!("{UNDISTURBED}{}", redis_section(&group)));
    let caller = service.caller().await;
    let keys: Vec<String> = (0..200).map(|number| format!("k{number}")).collect();
    for key in &keys {
        caller.run(write(key)).await;
        // Of another key, because this one was changed just now.
        caller.read(&format!("other:{key}")).await;
    }
    caller.run(json!({"command": "DELETE", "key": "k0"})).await;
    let master = group.master(0);
    assert_eq!((calls(master, "set"), calls(master, "unlink"), calls(master, "get")), (200, 1, 0));
    let reads: Vec<u64> = group.replicas(0).iter().map(|replica| calls(replica, "get")).collect();
    assert_eq!(reads.iter().sum::<u64>(), 200);
    assert!(reads.iter().all(|count| *count > 30), "one replica does most of the work: {reads:?}");
}

#[tokio::test]
async fn one_key_is_read_from_one_replica() {
    let group = redis(1, 3);
    let service = Service::plain(&format!("{UNDISTURBED}{}", redis_section(&group)));
    let caller = service.caller().await;
    eventually("all replicas are connected", async || {
        let answer = reqwest::get(format!("http://{}/readyz", service.admin)).await.ok()?;
        answer.text().await.ok()?.contains("\"READY\"").then_some(())
    })
    .await;
    for _ in 0..30 {
        caller.read("one").await;
    }
    let mut reads: Vec<u64> = group.replicas(0).iter().map(|replica| calls(replica, "get")).collect();
    reads.sort_unstable();
    assert_eq!(reads, [0, 0, 30]);
}

#[tokio::test]
async fn each_shard_holds_its_share_and_hash_tags_keep_keys_together() {
    let group: RedisGroup = redis(4, 0);
    let service = Service::plain(&redis_section(&group).replacen("replicas=\n", "replicas=\nweight=3\n", 1));
    let caller = service.caller().await;
    let batches: Vec<Vec<Value>> =
        (0..6).map(|batch| (0..1000).map(|number| write(&format!("user:{batch}:{number}"))).collect()).collect();
    for batch in batches {
        caller.run(Value::Array(batch)).await;
    }
    let held: Vec<u64> = (0..4).map(|shard| keys_in(group.master(shard))).collect();
    // Weights 3, 1, 1, 1 of 6,000 keys.
    assert_eq!(held.iter().sum::<u64>(), 6000);
    assert!((2_700..3_300).contains(&held[0]), "{held:?}");
    assert!(held[1..].iter().all(|keys| (800..1_200).contains(keys)), "{held:?}");

    caller.run((0..100).map(|number| write(&format!("{{tag}}:{number}"))).collect()).await;
    let grown: Vec<u64> = (0..4).map(|shard| keys_in(group.master(shard)) - held[shard]).collect();
    assert!(grown.contains(&100), "{grown:?}");
}

#[tokio::test]
async fn each_worker_sends_its_commands_over_its_own_connection() {
    let group = redis(1, 1);
    let service = Service::plain_with("WORKERS=3", &redis_section(&group));
    let ours = || group.master(0).ask("CLIENT LIST").expect("an answer").matches("lib-name=cachefront").count();
    let named = group.master(0).ask("INFO server").expect("an answer").contains("redis_version:7.0");
    // Redis 7.0 does not tell the library's name; its list has one line more than there are replicas and links.
    let connected = || {
        if named { group.master(0).ask("CLIENT LIST").expect("an answer").matches("cmd=set").count() } else { ours() }
    };
    // Each caller has a connection of its own, and the system chooses who serves it.
    eventually("all workers have had a write", async || {
        service.caller().await.run(write("k")).await;
        (connected() >= 3).then_some(())
    })
    .await;
    let one = redis(1, 0);
    let service =
        Service::plain_with("WORKERS=3", &format!("[redis]\nconnections_per_node=1\n{}", redis_section(&one)));
    for number in 0..10 {
        service.caller().await.run(write(&format!("k{number}"))).await;
    }
}
