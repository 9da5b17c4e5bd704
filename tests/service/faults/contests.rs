//! Two nodes of one shard that call themselves master.

#![expect(clippy::float_cmp, reason = "what is compared are whole numbers")]

use super::{
    expect_ok, follow, pause, resume,
    standing::{expect_refused, strict_read, until_refused, until_written},
    until_ready,
};
use crate::harness::{Caller, MetricsPage, Mode, Proxy, Service, eventually, redis, redis_section};
use crate::local_redis::{RedisGroup, RedisProcess};
use serde_json::json;
use std::time::{Duration, Instant};

pub const CONTESTED: &str = "call themselves master, and it is not proven which of them is";

/// A master of one shard and a node of another origin: it was promoted once, has data of its own, and calls itself master.
struct Strangers {
    group: RedisGroup,
    stranger: RedisProcess,
    /// The former master of the stranger.
    _origin: RedisProcess,
}

impl Strangers {
    async fn start() -> Self {
        let group = redis(1, 0);
        let origin = group.add(&[]).expect("it starts");
        let stranger = group.add(&[]).expect("it starts");
        expect_ok(&origin, "SET k foreign");
        follow(&stranger, &origin);
        eventually("the value is replicated", async || (stranger.ask("GET k").ok()? == "foreign").then_some(())).await;
        expect_ok(&stranger, "REPLICAOF NO ONE");
        expect_ok(group.master(0), "SET k own");
        Self { group, stranger, _origin: origin }
    }

    fn master(&self) -> &RedisProcess {
        self.group.master(0)
    }

    /// Returns the settings of a shard that has both nodes.
    fn section(&self) -> String {
        format!("[shard:a]\nmaster={}\nreplicas={}\n", self.master().address, self.stranger.address)
    }
}

/// Starts a master and a replica that has its data and was promoted since, so that both call themselves master.
pub async fn two_masters() -> RedisGroup {
    let group = redis(1, 1);
    let (old, new) = (group.master(0), &group.replicas(0)[0]);
    expect_ok(old, "SET k v");
    eventually("the value is replicated", async || (new.ask("GET k").ok()? == "v").then_some(())).await;
    expect_ok(new, "REPLICAOF NO ONE");
    group
}

async fn until_contested(service: &Service) {
    MetricsPage::until(service, "cachefront_shard_contested", "shard=\"a\"", |contested| contested >= 1.0).await;
}

async fn expect_values_of(caller: &Caller, node: &RedisProcess, rounds: usize) {
    for round in 0..rounds {
        caller.write(&format!("k{round}"), &json!("v")).await;
        assert_eq!(node.ask(&format!("GET k{round}")).expect("an answer"), "v", "another node was written to");
        assert_eq!(strict_read(caller, "k").await.json()["value"], "own");
    }
}

#[tokio::test]
async fn an_unrelated_master_that_a_reload_adds_takes_nothing_over() {
    let redis = Strangers::start().await;
    let service = Service::plain(&format!("[shard:a]\nmaster={}\n", redis.master().address));
    until_ready(&service, "READY").await;
    let caller = service.caller().await;
    expect_values_of(&caller, redis.master(), 1).await;
    service.edit(|text| text.replace("[near_cache]", &format!("replicas={}\n[near_cache]", redis.stranger.address)));
    service.reload();
    until_contested(&service).await;
    expect_values_of(&caller, redis.master(), 20).await;
    assert_eq!(redis.stranger.ask("DBSIZE").expect("an answer"), ":1");
}

#[tokio::test]
async fn an_instance_that_starts_with_unrelated_masters_refuses_writes_until_one_is_stopped() {
    let redis = Strangers::start().await;
    // Nothing tells any more that the node was promoted.
    expect_ok(&redis.stranger, "CONFIG RESETSTAT");
    let service = Service::plain(&redis.section());
    let caller = service.caller().await;
    until_refused(&caller, CONTESTED).await;
    strict_read(&caller, "k").await.expect_error(503, "shard_unavailable");
    redis.stranger.kill();
    until_written(&caller).await;
    assert_eq!(redis.master().ask("GET after").expect("an answer"), "v");
}

#[tokio::test]
async fn a_contest_ends_when_the_elected_node_is_stopped() {
    let group = two_masters().await;
    let (old, new) = (group.master(0), &group.replicas(0)[0]);
    // Nothing tells any more that the node was promoted.
    expect_ok(new, "CONFIG RESETSTAT");
    // The node that was promoted is the first one, so that it is elected.
    let service = Service::plain(&format!("[shard:a]\nmaster={}\nreplicas={}\n", new.address, old.address));
    let caller = service.caller().await;
    until_refused(&caller, CONTESTED).await;
    new.kill();
    until_written(&caller).await;
    assert_eq!(old.ask("GET after").expect("an answer"), "v");
}

#[tokio::test]
async fn an_instance_that_starts_with_two_masters_uses_the_one_that_was_told_to_be_master() {
    let group = two_masters().await;
    let new = &group.replicas(0)[0];
    let service = Service::plain(&redis_section(&group));
    MetricsPage::until(&service, "cachefront_shard_contested", "shard=\"a\"", |contested| contested == 1.0).await;
    let caller = service.caller().await;
    until_written(&caller).await;
    assert_eq!(new.ask("GET after").expect("an answer"), "v");
    assert_eq!(strict_read(&caller, "after").await.json()["value"], "v");
}

#[tokio::test]
async fn an_instance_that_starts_with_two_masters_refuses_writes_until_one_is_proven() {
    let group = two_masters().await;
    let (old, new) = (group.master(0), &group.replicas(0)[0]);
    // Nothing tells any more that the node was promoted.
    expect_ok(new, "CONFIG RESETSTAT");
    let service = Service::plain(&redis_section(&group));
    let caller = service.caller().await;
    until_refused(&caller, CONTESTED).await;
    expect_refused(&caller, json!({"command": "READ", "key": "k", "consistency": "master"})).await;
    assert_eq!(caller.read("k").await, Some(json!("v")));
    MetricsPage::until(&service, "cachefront_shard_writable", "shard=\"a\"", |writable| writable == 0.0).await;
    until_ready(&service, "DEGRADED").await;

    follow(old, new);
    let demoted = Instant::now();
    until_written(&caller).await;
    assert!(demoted.elapsed() < Duration::from_secs(2), "it took {:?}", demoted.elapsed());
    assert_eq!(new.ask("GET after").expect("an answer"), "v");
    until_ready(&service, "READY").await;
}

#[tokio::test]
async fn strict_reads_never_go_back_to_an_old_master_that_was_cut_off() {
    let group = redis(1, 1);
    let service = Service::plain(&redis_section(&group));
    until_ready(&service, "READY").await;
    let caller = service.caller().await;
    let (old, new) = (group.master(0), &group.replicas(0)[0]);
    caller.write("k", &json!("old")).await;
    eventually("the value is replicated", async || (new.ask("GET k").ok()? == "old").then_some(())).await;
    pause(old);
    expect_ok(new, "REPLICAOF NO ONE");
    eventually("the new master is written to", async || {
        let write = json!({"command": "WRITE", "key": "k", "value": "new"}).to_string();
        (caller.send(write).await.status.as_u16() == 200).then_some(())
    })
    .await;
    resume(old);
    MetricsPage::until(&service, "cachefront_shard_contested", "shard=\"a\"", |contested| contested == 1.0).await;
    for round in 2..50 {
        caller.write("k", &json!(format!("v{round}"))).await;
        assert_eq!(strict_read(&caller, "k").await.json()["value"], json!(format!("v{round}")));
    }
}

#[tokio::test]
async fn a_promotion_that_passed_while_the_node_was_unreachable_is_followed_though_the_old_master_lives() {
    let group = redis(1, 1);
    let (old, new) = (group.master(0), &group.replicas(0)[0]);
    let path = Proxy::in_front_of(&new.address);
    let service = Service::plain(&format!("[shard:a]\nmaster={}\nreplicas={}\n", old.address, path.address));
    until_ready(&service, "READY").await;
    let caller = service.caller().await;
    caller.write("k", &json!("old")).await;
    eventually("the value is replicated", async || (new.ask("GET k").ok()? == "old").then_some(())).await;
    path.set(Mode::Refuse);
    until_ready(&service, "DEGRADED").await;
    expect_ok(new, "REPLICAOF NO ONE");
    expect_ok(new, "SET k new");
    path.set(Mode::Pass);
    // The same process was a replica before, so it was certainly promoted.
    eventually("strict reads reach the promoted node", async || {
        (strict_read(&caller, "k").await.json()["value"] == "new").then_some(())
    })
    .await;
    caller.write("after", &json!("v")).await;
    assert_eq!(new.ask("GET after").expect("an answer"), "v");
    assert_eq!(old.ask("EXISTS after").expect("an answer"), ":0");
}

#[tokio::test]
async fn a_master_that_is_demoted_beside_a_second_one_is_left_before_it_has_the_data_of_that_one() {
    let group = two_masters().await;
    let (old, new) = (group.master(0), &group.replicas(0)[0]);
    let service = Service::plain(&redis_section(&group));
    let caller = service.caller().await;
    // The node that was promoted is used, and is to follow the old master again.
    until_written(&caller).await;
    assert_eq!(new.ask("GET after").expect("an answer"), "v");
    expect_ok(old, "CONFIG SET repl-diskless-sync-delay 20");
    let demoted = Instant::now();
    follow(new, old);
    until_written(&caller).await;
    assert!(demoted.elapsed() < Duration::from_secs(5), "it took {:?}", demoted.elapsed());
    assert_eq!(old.ask("GET after").expect("an answer"), "v");
    assert_eq!(new.info("master_link_status").as_deref(), Some("down"), "it does not have the data yet");
}
