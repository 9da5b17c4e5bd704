//! A new instance that finds its master down and another node that calls itself master without proof.

use super::{
    expect_ok, follow,
    named_masters::{page, status, until_problem},
    promote,
    standing::{expect_refused, never_reconnects, strict_read, until_written},
    until_ready_at,
};
use crate::harness::{API_KEY, Caller, Instance, MetricsPage, eventually, redis, signal};
use crate::local_redis::{RedisGroup, RedisProcess};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const UNPROVEN: &str = "calls itself master without proof that it took over";

/// A shard whose master was killed. Its first replica was promoted, killed, and started empty.
struct Scene {
    group: RedisGroup,
    /// The node that was promoted, and is an empty master now.
    empty: RedisProcess,
    /// The other replica.
    other: RedisProcess,
}

impl Scene {
    /// Starts a master and two replicas that have its data.
    async fn healthy() -> Self {
        let group = redis(1, 0);
        // Started without `--replicaof`, so that they are masters after a restart.
        let [empty, other] = [(); 2].map(|()| group.add(&[]).expect("it starts"));
        expect_ok(group.master(0), "SET k v");
        for node in [&empty, &other] {
            follow(node, group.master(0));
            eventually("the value is replicated", async || (node.ask("GET k").ok()? == "v").then_some(())).await;
        }
        Self { group, empty, other }
    }

    /// Kills and starts the nodes. `keeps_data` is true if the other replica does not reach the empty master, so that it has the
    /// data still.
    async fn new(keeps_data: bool) -> Self {
        let Self { group, empty, other } = Self::healthy().await;
        group.master(0).kill();
        promote(&empty, &[&other]);
        expect_ok(&empty, "SET later v");
        eventually("it is replicated", async || (other.ask("GET later").ok()? == "v").then_some(())).await;
        if keeps_data {
            never_reconnects(&other);
        }
        empty.kill();
        empty.start_again().expect("it starts");
        if !keeps_data {
            eventually("the replica is empty, too", async || (other.ask("EXISTS k").ok()? == ":0").then_some(())).await;
        }
        Self { group, empty, other }
    }

    /// Starts an instance that has not seen what happened.
    async fn instance(&self, hold_secs: u64) -> (Instance, Caller) {
        let [master, one, two] = [self.group.master(0), &self.empty, &self.other].map(|node| &node.address);
        let shard = format!("[shard:a]\nmaster={master}\nreplicas={one}, {two}\n");
        let redis = format!("[redis]\nmaster_hold_secs={hold_secs}\n{shard}");
        let sections = format!("RELOAD_EVERY_SECS=0\n[near_cache]\nenabled=false\n{redis}");
        let instance = Instance::start(&self.group, &sections).await;
        let caller = Caller::log_in_at(&instance.url(), API_KEY, None).await;
        (instance, caller)
    }

    /// Returns what the person on call reads while the empty node is not used: each text has to name it.
    async fn texts(&self, instance: &Instance) -> Vec<String> {
        let shard = until_problem(instance, UNPROVEN).await;
        let problem = &shard["problem"];
        let advice = problem["advice"].as_str().expect("a sentence");
        assert!(advice.contains("promote") && advice.contains("master_hold_secs"), "{advice}");
        assert_eq!((&shard["writable"], &problem["runbook"]), (&json!(false), &json!("CachefrontMasterWithoutData")));
        assert_eq!(shard["candidate"], json!(self.empty.address.to_string()));
        let events = page(instance, "/console/facts").await.json()["events"].clone();
        let events = events.as_array().expect("a list").iter();
        let log = instance.log();
        let metrics = MetricsPage(page(instance, "/metrics").await.text);
        assert!((metrics.sum("cachefront_shard_held", "shard=\"a\"") - 1.0).abs() < 1e-9);
        vec![
            problem["cause"].as_str().expect("a sentence").to_owned(),
            events.filter(|event| event["kind"] == "held").map(Value::to_string).collect(),
            log.lines().filter(|line| line.contains("without proof")).collect(),
            page(instance, "/readyz").await.text,
            page(instance, "/console").await.text.split("</ul>").next().expect("the problems").to_owned(),
            status(instance).split("\n\n").next().expect("the problems").to_owned(),
        ]
    }
}

#[tokio::test]
async fn a_new_instance_waits_before_it_uses_an_empty_master_that_nothing_proves() {
    let scene = Scene::new(false).await;
    let (instance, caller) = scene.instance(3).await;
    let start = Instant::now();
    expect_refused(&caller, json!({"command": "WRITE", "key": "k", "value": "v"})).await;
    strict_read(&caller, "k").await.expect_error(503, "shard_unavailable");
    for text in scene.texts(&instance).await {
        assert!(text.contains(&scene.empty.address.to_string()), "{text}");
    }
    // Nobody promotes another node.
    until_written(&caller).await;
    assert!(start.elapsed() > Duration::from_secs(2), "it took {:?}", start.elapsed());
    assert_eq!(scene.empty.ask("GET after").expect("an answer"), "v");
    let facts = page(&instance, "/console/facts").await.json();
    assert!(facts["events"].to_string().contains("which is down, and no other node was promoted"), "{facts}");
    assert!(facts["shards"][0]["candidate"].is_null(), "{facts}");

    // The old master is empty as well, and nobody follows it.
    scene.group.master(0).start_again().expect("it starts");
    until_problem(&instance, &format!("writes go to {}", scene.empty.address)).await;
    until_written(&caller).await;
    follow(scene.group.master(0), &scene.empty);
    until_ready_at(instance.admin_port, "READY").await;
}

#[tokio::test]
async fn a_replica_that_is_promoted_in_place_of_an_empty_master_saves_the_data() {
    let scene = Scene::new(true).await;
    let (instance, caller) = scene.instance(3600).await;
    until_problem(&instance, UNPROVEN).await;
    assert_eq!(caller.read("k").await, Some(json!("v")));
    expect_ok(&scene.other, "REPLICAOF NO ONE");
    until_written(&caller).await;
    assert_eq!(strict_read(&caller, "later").await.json()["value"], "v");
    assert_eq!(scene.other.ask("GET after").expect("an answer"), "v");
    follow(&scene.empty, &scene.other);
    scene.group.master(0).start_again().expect("it starts");
    follow(scene.group.master(0), &scene.other);
    until_ready_at(instance.admin_port, "READY").await;
}

#[tokio::test]
async fn an_empty_master_is_used_at_once_when_the_settings_name_it_in_place_of_the_lost_one() {
    let scene = Scene::new(false).await;
    let (instance, caller) = scene.instance(3600).await;
    until_problem(&instance, UNPROVEN).await;
    let [lost, empty] = [scene.group.master(0), &scene.empty].map(|node| node.address.to_string());
    instance.edit(|text| text.replace(&format!("{empty}, "), "").replace(&lost, &empty));
    signal("-HUP", instance.process_id());
    until_written(&caller).await;
    assert_eq!(scene.empty.ask("GET after").expect("an answer"), "v");
    until_ready_at(instance.admin_port, "READY").await;
}

#[tokio::test]
async fn an_instance_that_saw_the_restart_uses_the_empty_master_once_the_lost_one_is_off_the_list() {
    let scene = Scene::healthy().await;
    let (instance, caller) = scene.instance(1).await;
    until_ready_at(instance.admin_port, "READY").await;
    caller.write("k", &json!("v")).await;
    scene.group.master(0).kill();
    scene.empty.kill();
    scene.empty.start_again().expect("it starts");
    follow(&scene.other, &scene.empty);
    let [lost, empty] = [scene.group.master(0), &scene.empty].map(|node| node.address.to_string());
    let cause = format!("its master {lost} is down, and {empty} calls itself master without proof");
    let shard = until_problem(&instance, &cause).await;
    assert_eq!((&shard["candidate"], &shard["writable"]), (&Value::Null, &json!(false)));
    instance.edit(|text| text.replace(&format!("{empty}, "), "").replace(&lost, &empty));
    signal("-HUP", instance.process_id());
    until_written(&caller).await;
    assert_eq!(scene.empty.ask("GET after").expect("an answer"), "v");
}

#[tokio::test]
async fn a_listed_master_that_comes_back_is_used_rather_than_a_candidate() {
    let scene = Scene::new(false).await;
    let (instance, caller) = scene.instance(3600).await;
    until_problem(&instance, UNPROVEN).await;
    scene.group.master(0).start_again().expect("it starts");
    until_written(&caller).await;
    assert_eq!(scene.group.master(0).ask("GET after").expect("an answer"), "v");
    until_problem(&instance, &format!("writes go to {}", scene.group.master(0).address)).await;
}

#[tokio::test]
async fn a_master_that_nothing_proves_is_contested_by_the_listed_one() {
    let scene = Scene::new(true).await;
    scene.other.kill();
    let (instance, caller) = scene.instance(1).await;
    until_written(&caller).await;
    assert_eq!(scene.empty.ask("GET after").expect("an answer"), "v");
    scene.group.master(0).start_again().expect("it starts");
    let shard = until_problem(&instance, "nothing proves which of them").await;
    assert_eq!(shard["writable"], json!(false));
    follow(scene.group.master(0), &scene.empty);
    until_written(&caller).await;
}
