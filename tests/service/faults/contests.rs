//! Two nodes of one shard that call themselves master, while nothing proves which of them is.

use super::{
    expect_ok, follow,
    standing::{CONTESTED, strict_read, until_refused, until_written},
    until_ready,
};
use crate::harness::{Caller, MetricsPage, Service, eventually, redis};
use crate::local_redis::{RedisGroup, RedisProcess};
use serde_json::json;

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
    let group = redis(1, 1);
    let (old, new) = (group.master(0), &group.replicas(0)[0]);
    expect_ok(old, "SET k v");
    eventually("the value is replicated", async || (new.ask("GET k").ok()? == "v").then_some(())).await;
    expect_ok(new, "REPLICAOF NO ONE");
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
