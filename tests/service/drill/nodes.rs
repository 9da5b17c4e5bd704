//! Faults of Redis: nodes that are lost, lag, disagree, or are full.

use super::{
    Drill,
    load::{BackgroundCallers, caller},
};
use crate::harness::{Instance, Mode, Proxy, redis, redis_section, start, until_replicated};
use crate::local_redis::{Layout, RedisGroup, RedisProcess};
use serde_json::json;

/// Starts an instance in front of a group.
async fn before(drill: &Drill, group: &RedisGroup) -> Instance {
    let instance = Instance::start(&drill.group, &redis_section(group)).await;
    drill.watch(&instance).await;
    until_replicated(group).await;
    instance
}

/// Sends a command to a node, which has to answer OK.
fn expect_ok(node: &RedisProcess, command: &str) {
    assert_eq!(node.ask(command).expect("an answer"), "+OK", "{command}");
}

/// Makes a node a replica of another one.
fn follow(node: &RedisProcess, master: &RedisProcess) {
    expect_ok(node, &format!("REPLICAOF {} {}", master.address.host, master.address.port));
}

/// Kills the master of a shard, then its replica.
pub async fn lost(drill: &Drill) {
    let group = redis(1, 1);
    let instance = before(drill, &group).await;
    let busy = BackgroundCallers::with(
        &caller(&instance).await,
        4,
        |number| json!({"command": "READ", "key": format!("k-{number}")}),
    );
    group.master(0).kill();
    drill.fires(&instance, "the master of a shard is killed", &["CachefrontShardWithoutMaster"]).await;
    group.replicas(0)[0].kill();
    let all = ["CachefrontShardUnreadable", "CachefrontErrorRatio"];
    drill.fires(&instance, "its last replica is killed, too, under load", &all).await;
    group.replicas(0)[0].start_again().expect("it starts");
    group.master(0).start_again().expect("it starts");
    drill.resolves(&instance, &["CachefrontShardWithoutMaster", all[0], all[1]]).await;
    drop(busy);
}

/// Lets two nodes report to be masters of a shard.
pub async fn split_brain(drill: &Drill) {
    let group = redis(1, 1);
    let instance = before(drill, &group).await;
    expect_ok(&group.replicas(0)[0], "REPLICAOF NO ONE");
    let alerts = ["CachefrontShardContested"];
    drill.fires(&instance, "a replica is promoted while the master goes on", &alerts).await;
    follow(group.master(0), &group.replicas(0)[0]);
    drill.resolves(&instance, &alerts).await;
}

/// Lets a master come back empty while its replica has the data.
pub async fn master_without_data(drill: &Drill) {
    let group = redis(1, 1);
    let instance = before(drill, &group).await;
    group.master(0).kill();
    group.master(0).start_again().expect("it starts");
    let alerts = ["CachefrontMasterWithoutData"];
    drill.fires(&instance, "the master comes back empty at once", &alerts).await;
    drill.resolves(&instance, &alerts).await;
}

/// Kills a replica.
pub async fn replica_lost(drill: &Drill) {
    let group = redis(1, 2);
    let instance = before(drill, &group).await;
    group.replicas(0)[0].kill();
    let alerts = ["CachefrontReplicaDown"];
    drill.fires(&instance, "a replica is killed", &alerts).await;
    group.replicas(0)[0].start_again().expect("it starts");
    drill.resolves(&instance, &alerts).await;
}

/// Delays the replication stream of a replica.
pub async fn replica_behind(drill: &Drill) {
    let password = "the-password-of-the-drill";
    let group = start(&Layout { replicas: 1, password: password.to_owned(), ..Layout::default() });
    let sections = format!("[redis]\npassword={password}\n{}", redis_section(&group));
    let instance = Instance::start(&drill.group, &sections).await;
    drill.watch(&instance).await;
    let busy =
        BackgroundCallers::with(&caller(&instance).await, 1, |_| json!({"command": "WRITE", "key": "k", "value": "v"}));
    let replica = &group.replicas(0)[0];
    expect_ok(replica, "CONFIG SET masterauth another-one");
    let _killed = replica.ask("CLIENT KILL TYPE master").expect("an answer");
    let alerts = ["CachefrontReplicationLag"];
    drill.fires(&instance, "a replica has a wrong password for its master", &alerts).await;
    expect_ok(replica, &format!("CONFIG SET masterauth {password}"));
    drill.resolves(&instance, &alerts).await;
    drop(busy);
}

/// Lets a replica answer as if it did not have the last change.
pub async fn old_answer(drill: &Drill) {
    let group = redis(1, 1);
    until_replicated(&group).await;
    let path = Proxy::in_front_of(&group.replicas(0)[0].address);
    let shard = format!("[shard:a]\nmaster={}\nreplicas={}\n", group.master(0).address, path.address);
    let everything = "[near_cache]\nenabled=false\n[telemetry]\ninspect_one_in=1\n";
    let instance = Instance::start(&drill.group, &format!("{shard}{everything}")).await;
    drill.watch(&instance).await;
    let caller = caller(&instance).await;
    path.set(Mode::Replace(b"new-value", b"old-value"));
    caller.write("k", &json!("new-value")).await;
    let busy = BackgroundCallers::with(&caller, 4, |_| json!({"command": "READ", "key": "k"}));
    let alerts = ["CachefrontAnswerOlderThanPromised"];
    drill.fires(&instance, "a replica answers with the value before the last change", &alerts).await;
    path.set(Mode::Pass);
    drill.resolves(&instance, &alerts).await;
    drop(busy);
}

/// Takes the memory of a master away.
pub async fn out_of_memory(drill: &Drill) {
    let group = redis(1, 0);
    let instance = before(drill, &group).await;
    let busy =
        BackgroundCallers::with(&caller(&instance).await, 1, |_| json!({"command": "WRITE", "key": "k", "value": "v"}));
    expect_ok(group.master(0), "CONFIG SET maxmemory 1");
    let alerts = ["CachefrontRedisOutOfMemory"];
    drill.fires(&instance, "maxmemory is reached and nothing may be evicted", &alerts).await;
    expect_ok(group.master(0), "CONFIG SET maxmemory 0");
    drill.resolves(&instance, &alerts).await;
    drop(busy);
}

/// Switches the master of a shard repeatedly.
pub async fn masters_change(drill: &Drill) {
    let group = redis(1, 1);
    let instance = before(drill, &group).await;
    let promotions = format!("cachefront_shard_promotions_total{{instance=\"{}\"}}", instance.admin());
    let nodes = [group.master(0), &group.replicas(0)[0]];
    for round in 0..5 {
        let before = drill.number(&promotions).await.expect("a count");
        let (new, old) = (nodes[(round + 1) % 2], nodes[round % 2]);
        expect_ok(new, "REPLICAOF NO ONE");
        follow(old, new);
        drill
            .until("the promotion is seen", async || drill.number(&promotions).await.is_some_and(|now| now > before))
            .await;
        drill.until("the old one follows", async || old.info("master_link_status").as_deref() == Some("up")).await;
    }
    let alerts = ["CachefrontMasterChangesOften"];
    drill.fires(&instance, "two nodes take turns as master, five times", &alerts).await;
    drill.resolves(&instance, &alerts).await;
}
