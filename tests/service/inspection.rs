//! The inspection of answers: it measures how old answers are, and sees each promise that is broken.

#![expect(clippy::float_cmp, reason = "what is compared are whole numbers")]

use crate::harness::{
    Answer, Caller, MetricsPage, Mode, Proxy, Service, eventually, redis, redis_section, until_replicated,
};
use crate::local_redis::{RedisGroup, RedisProcess};
use serde_json::{Value, json};
use std::time::Duration;

/// Every answer and every change is inspected, as far as the limit on commands allows.
const ALL: &str = "\n[telemetry]\ninspect_one_in=1\ninspect_per_second=1000\n";
const VIOLATIONS: &str = "cachefront_answers_older_than_promised_total";
const ANSWERS: &str = "cachefront_inspected_answers_total";
const CHANGES: &str = "cachefront_inspected_changes_total";

/// A master and a replica, where a proxy stands in front of the replica.
struct Replicated {
    group: RedisGroup,
    /// The path of the service to the replica.
    path: Proxy,
}

impl Replicated {
    async fn start() -> Self {
        let group = redis(1, 1);
        until_replicated(&group).await;
        let path = Proxy::in_front_of(&group.replicas(0)[0].address);
        Self { group, path }
    }

    fn section(&self) -> String {
        format!("[shard:a]\nmaster={}\nreplicas={}\n{ALL}", self.master().address, self.path.address)
    }

    fn master(&self) -> &RedisProcess {
        self.group.master(0)
    }

    /// Sets a value as another client does, and waits until the replica has it.
    async fn set(&self, key: &str, value: &str) {
        assert_eq!(self.master().ask(&format!("SET {key} {value}")).expect("an answer"), "+OK");
        let replica = &self.group.replicas(0)[0];
        eventually("it is replicated", async || (replica.ask(&format!("GET {key}")).ok()? == value).then_some(()))
            .await;
    }
}

/// Returns the number of violations so far; asserts that the metric is there.
async fn violations(service: &Service) -> f64 {
    let page = MetricsPage::of(service).await;
    assert!(page.has(VIOLATIONS, ""));
    page.sum(VIOLATIONS, "")
}

/// Reads a key until the sum of a metric is positive, and returns the values that were read.
async fn read_until(caller: &Caller, service: &Service, key: &str, name: &str, labels: &str) -> Vec<Option<Value>> {
    let mut values = Vec::new();
    eventually(&format!("{name}{{{labels}}} grows"), async || {
        for _ in 0..10 {
            values.push(caller.read(key).await);
        }
        (MetricsPage::of(service).await.sum(name, labels) > 0.0).then_some(())
    })
    .await;
    values
}

#[tokio::test]
async fn the_lag_of_a_replica_is_measured_and_breaks_no_promise() {
    let group = redis(1, 0);
    let stream = Proxy::in_front_of(&group.master(0).address);
    let replica = group.add(&["--replicaof", &stream.address.host, &stream.address.port.to_string()]);
    let replica = replica.expect("a replica");
    group.master(0).wait_for_replicas(1).expect("it is online");
    let shard = format!("[shard:a]\nmaster={}\nreplicas={}\n{ALL}", group.master(0).address, replica.address);
    let service = Service::plain(&shard);
    let caller = service.caller().await;
    stream.set(Mode::Delay(Duration::from_secs(1)));
    let mut round = 0;
    let page = eventually("a lag of more than half a second is measured", async || {
        // Changes of another client may be seen late, own changes may not.
        round += 1;
        assert_eq!(group.master(0).ask(&format!("SET foreign {round}")).expect("an answer"), "+OK");
        caller.write("own", &json!(round)).await;
        caller.until_read("foreign", Some(&json!(round.to_string()))).await;
        assert_eq!(caller.read("own").await, Some(json!(round)));
        let page = MetricsPage::of(&service).await;
        let bucket = "cachefront_answer_staleness_seconds_bucket";
        let [all, less] = ["le=\"+Inf\"", "le=\"0.5\""].map(|le| page.sum(bucket, &format!("source=\"replica\",{le}")));
        (all > less).then_some(page)
    })
    .await;
    assert!(page.sum(ANSWERS, "source=\"replica\"") > 0.0);
    assert!(page.sum(CHANGES, "") > 0.0);
    assert_eq!(page.sum(VIOLATIONS, ""), 0.0, "{}", page.0);
}

#[tokio::test]
async fn a_replica_that_hides_an_own_change_is_seen() {
    let redis = Replicated::start().await;
    let service = Service::plain(&redis.section());
    let caller = service.caller().await;
    caller.write("k", &json!("old-value")).await;
    // The replica has the change, and its answer pretends that it has not.
    redis.path.set(Mode::Replace(b"new-value", b"old-value"));
    let labels = "promise=\"own_change\"";
    let page = eventually("the violation is seen", async || {
        // Each change is watched for some seconds only.
        caller.write("k", &json!("new-value")).await;
        for _ in 0..100 {
            caller.read("k").await;
        }
        let page = MetricsPage::of(&service).await;
        (page.sum(VIOLATIONS, labels) > 0.0).then_some(page)
    })
    .await;
    assert_eq!(page.sum(VIOLATIONS, "") - page.sum(VIOLATIONS, labels), 0.0, "{}", page.0);
}

#[tokio::test]
async fn a_replica_that_hides_what_a_sync_token_covers_is_seen() {
    let redis = Replicated::start().await;
    let services = [Service::plain(&redis.section()), Service::plain(&redis.section())];
    let [writer, reader] = [services[0].caller().await, services[1].caller().await];
    writer.write("k", &json!("new-value")).await;
    redis.path.set(Mode::Replace(b"new-value", b"old-value"));
    let labels = "promise=\"sync_token\"";
    // A read with the first token reaches the master and is watched; the replica may answer those with a later token as
    // soon as it has been probed.
    eventually("the violation is seen", async || {
        let token = writer.send(json!({"command": "WRITE", "key": "other", "value": 1}).to_string()).await;
        let token = token.header("cache-sync-token");
        for _ in 0..100 {
            let request = reader.http.post(&reader.url).bearer_auth(&reader.token).header("cache-sync-token", token);
            Answer::of(request.json(&json!({"command": "READ", "key": "k"}))).await;
        }
        (MetricsPage::of(&services[1]).await.sum(VIOLATIONS, labels) > 0.0).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_lost_invalidation_is_seen() {
    let redis = Replicated::start().await;
    redis.set("k", "old-value").await;
    let service = Service::start(&redis.section());
    let caller = service.caller().await;
    // The report names another key.
    redis.path.set(Mode::Replace(b"*1\r\n$1\r\nk\r\n", b"*1\r\n$1\r\nx\r\n"));
    eventually("the value is in the near cache", async || {
        caller.read("k").await;
        let page = MetricsPage::of(&service).await;
        (page.sum("cachefront_near_cache_lookups_total", "outcome=\"hit\"") > 0.0).then_some(())
    })
    .await;
    redis.set("k", "new-value").await;
    let labels = "promise=\"invalidation\"";
    let values = read_until(&caller, &service, "k", VIOLATIONS, labels).await;
    assert!(values.iter().all(|value| *value == Some(json!("old-value"))), "the near cache keeps the old value");
    let page = MetricsPage::of(&service).await;
    assert_eq!(page.sum(VIOLATIONS, "") - page.sum(VIOLATIONS, labels), 0.0, "{}", page.0);
}

#[tokio::test]
async fn a_reload_turns_the_inspection_on_and_off() {
    let redis = Replicated::start().await;
    let service = Service::plain(&redis.section().replace("inspect_one_in=1\n", "inspect_one_in=0\n"));
    let caller = service.caller().await;
    for _ in 0..50 {
        caller.read("k").await;
    }
    assert_eq!(MetricsPage::of(&service).await.sum(ANSWERS, ""), 0.0);
    service.edit(|text| text.replace("inspect_one_in=0\n", "inspect_one_in=1\n"));
    service.reload();
    read_until(&caller, &service, "k", ANSWERS, "").await;
    service.edit(|text| text.replace("inspect_one_in=1\n", "inspect_one_in=0\n"));
    service.reload();
    eventually("no further answer is inspected", async || {
        let before = MetricsPage::of(&service).await.sum(ANSWERS, "");
        for _ in 0..50 {
            caller.read("k").await;
        }
        (MetricsPage::of(&service).await.sum(ANSWERS, "") == before).then_some(())
    })
    .await;
}

#[tokio::test]
async fn changes_of_many_keys_by_many_break_no_promise() {
    let redis = redis(1, 2);
    until_replicated(&redis).await;
    let sections = format!("{}{ALL}", redis_section(&redis));
    let services = [Service::start(&sections), Service::start(&sections)];
    let [first, second] = [services[0].caller().await, services[1].caller().await];
    eventually("enough was inspected", async || {
        for round in 0..30 {
            let key = format!("k{}", round % 3);
            // The same values come again and again, through both instances and past them.
            let value = json!(format!("v{}", round % 2));
            let write = if round % 4 < 2 { &first } else { &second };
            let change = async {
                if round % 7 == 6 {
                    write.run(json!({"command": "DELETE", "key": key})).await;
                } else {
                    write.write(&key, &value).await;
                }
            };
            tokio::join!(change, first.read(&key), second.read(&key), first.read(&key));
            if round % 5 == 0 {
                redis.master(0).ask(&format!("SET {key} v{}", round % 2)).expect("an answer");
            }
        }
        let page = MetricsPage::of(&services[0]).await;
        (page.sum(CHANGES, "") > 20.0 && page.sum(ANSWERS, "source=\"near_cache\"") > 0.0).then_some(())
    })
    .await;
    for service in &services {
        assert_eq!(violations(service).await, 0.0);
    }
}
