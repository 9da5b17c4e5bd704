//! Metrics of shards and nodes.

use crate::harness::{MetricsPage, Mode, Proxy, Service, eventually, redis, redis_section, until_replicated};
use cachefront::types::Address;
use serde_json::json;
use std::time::Duration;

const STATE: &str = "cachefront_node_state";
const FALLBACKS: &str = "cachefront_read_fallbacks_total";

fn labels(shard: &str, node: &Address, rest: &str) -> String {
    format!("shard=\"{shard}\",node=\"{node}\"{rest}")
}

fn keys() -> Vec<String> {
    (0..60).map(|number| format!("k{number}")).collect()
}

#[tokio::test]
async fn commands_that_fail_because_a_master_is_down_are_failures_of_its_shard() {
    let group = redis(2, 1);
    let service = Service::plain(&redis_section(&group));
    let caller = service.caller().await;
    caller.fill(&keys()).await;
    until_replicated(&group).await;
    let (shard, replica) = (group.shards().next().expect("a shard").0, &group.replicas(0)[0].address);
    let of_replica = labels(&shard, replica, "");
    MetricsPage::until(&service, "cachefront_node_replication_lag_seconds", &of_replica, |_| true).await;
    group.master(0).kill();
    let of_shard = format!("shard=\"{shard}\"");
    MetricsPage::until(&service, "cachefront_shard_writable", &of_shard, |writable| writable == 0.0).await;
    let write = |key: &String| json!({"command": "WRITE", "key": key, "value": "v"});
    let replies = caller.run(keys().iter().map(write).collect()).await;
    let mut failed = replies.as_array().expect("replies").iter().filter(|reply| reply["status"] == "ERROR").count();
    assert!(failed > 0, "{replies}");
    for key in keys() {
        failed += usize::from(caller.send(write(&key).to_string()).await.status.as_u16() == 503);
    }
    let page = MetricsPage::of(&service).await;
    let failed = f64::from(u32::try_from(failed).expect("few"));
    let down = format!("{of_shard},cause=\"master_down\"");
    assert_eq!(page.sum("cachefront_shard_failures_total", &down), failed, "{}", page.0);
    assert_eq!(page.sum("cachefront_shard_failures_total", ""), failed, "{}", page.0);
    assert_eq!(page.sum("cachefront_errors_total", "code=\"shard_unavailable\""), failed, "{}", page.0);
    // A replica has nothing to catch up with while its master is dead.
    assert!(!page.has("cachefront_node_replication_lag_seconds", &of_replica), "{}", page.0);
    assert!(!page.has("cachefront_node_replication_lag_bytes", &of_replica), "{}", page.0);
    assert!(page.has("cachefront_node_replication_lag_seconds", ""), "the other shard's is shown: {}", page.0);
}

#[tokio::test]
async fn memory_keys_and_lookups_of_redis_are_shown() {
    let group = redis(1, 0);
    assert_eq!(group.master(0).ask("CONFIG SET maxmemory 64mb").expect("an answer"), "+OK");
    for number in 0..7 {
        group.master(0).ask(&format!("SET k{number} v")).expect("an answer");
    }
    group.master(0).ask("GET k1").expect("an answer");
    group.master(0).ask("EXISTS nothing").expect("an answer");
    let service = Service::start(&redis_section(&group));
    let page = MetricsPage::until(&service, "cachefront_node_keys", "", |keys| keys == 7.0).await;
    assert!(page.sum("cachefront_node_memory_bytes", "") > 100_000.0, "{}", page.0);
    assert_eq!(page.sum("cachefront_node_memory_max_bytes", ""), 64.0 * 1024.0 * 1024.0);
    assert_eq!(page.sum("cachefront_node_evicted_keys_total", ""), 0.0);
    assert!(page.sum("cachefront_node_keyspace_lookups_total", "outcome=\"hit\"") >= 1.0);
    assert!(page.sum("cachefront_node_keyspace_lookups_total", "outcome=\"miss\"") >= 1.0);
    // What a dead process said last is not the state of the node.
    group.master(0).kill();
    eventually("the numbers of the dead process are gone", async || {
        (!MetricsPage::of(&service).await.has("cachefront_node_keys", "")).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_killed_replica_is_shown_as_down_and_reads_elsewhere_count_as_fallbacks() {
    let group = redis(1, 2);
    // Each read has to reach a node.
    let service = Service::start(&format!("[near_cache]\nenabled=false\n{}", redis_section(&group)));
    let shard = group.shards().next().expect("a shard").0;
    let keys = keys();
    let caller = service.caller().await;
    caller.fill(&keys).await;
    until_replicated(&group).await;
    for replica in group.replicas(0) {
        let up = labels(&shard, &replica.address, ",state=\"up\"");
        MetricsPage::until(&service, STATE, &up, |up| up == 1.0).await;
    }
    let page = MetricsPage::of(&service).await;
    assert_eq!(page.sum("cachefront_node_role", &labels(&shard, &group.master(0).address, ",role=\"master\"")), 1.0);
    assert_eq!(page.sum("cachefront_node_role", "role=\"replica\""), 2.0);
    assert_eq!(page.sum("cachefront_shard_replicas_readable", ""), 2.0);
    let before = page.sum(FALLBACKS, "cause=\"unreadable\"");
    let lost = &group.replicas(0)[0];
    lost.kill();
    MetricsPage::until(&service, STATE, &labels(&shard, &lost.address, ",state=\"down\""), |down| down == 1.0).await;
    for key in &keys {
        assert_eq!(caller.read(key).await, Some(json!(key)));
    }
    let page = MetricsPage::of(&service).await;
    assert!(page.sum(FALLBACKS, "cause=\"unreadable\"") > before, "{}", page.0);
    assert_eq!(page.sum("cachefront_shard_replicas_readable", ""), 1.0);
    assert_eq!(page.sum("cachefront_shard_replicas", ""), 2.0);
    // Where it is not known, nothing is shown.
    assert!(!page.has("cachefront_node_replication_lag_seconds", &labels(&shard, &lost.address, "")));
    lost.start_again().expect("it starts");
    let connections = labels(&shard, &lost.address, "");
    MetricsPage::until(&service, "cachefront_node_connections_total", &connections, |count| count >= 2.0).await;
}

#[tokio::test]
async fn a_lagging_replica_and_a_promotion_are_counted() {
    let group = redis(1, 2);
    let service = Service::start(&redis_section(&group));
    let shard = group.shards().next().expect("a shard").0;
    let caller = service.caller().await;
    caller.fill(&keys()).await;
    let [successor, other] = group.replicas(0) else { panic!("two replicas") };
    let lag = labels(&shard, &successor.address, "");
    MetricsPage::until(&service, "cachefront_node_replication_lag_bytes", &lag, |bytes| bytes == 0.0).await;
    let page = MetricsPage::until(&service, "cachefront_node_replication_lag_seconds", &lag, |_| true).await;
    assert!(!page.has("cachefront_node_replication_lag_seconds", &labels(&shard, &group.master(0).address, "")));

    // Without its master the replica does not advance.
    assert_eq!(successor.ask("REPLICAOF 127.0.0.1 1").expect("an answer"), "+OK");
    MetricsPage::until(&service, "cachefront_node_replication_lag_seconds", &lag, |secs| secs > 1.0).await;

    assert_eq!(successor.ask("REPLICAOF NO ONE").expect("an answer"), "+OK");
    let follow = format!("REPLICAOF {} {}", successor.address.host, successor.address.port);
    for node in [other, group.master(0)] {
        assert_eq!(node.ask(&follow).expect("an answer"), "+OK");
    }
    let of_shard = format!("shard=\"{shard}\"");
    let page = MetricsPage::until(&service, "cachefront_shard_promotions_total", &of_shard, |count| count == 1.0).await;
    assert_eq!(page.sum("cachefront_node_role", &labels(&shard, &successor.address, ",role=\"master\"")), 1.0);
    assert_eq!(page.sum("cachefront_shard_writable", &of_shard), 1.0);
}

#[tokio::test]
async fn the_series_of_a_removed_node_are_removed() {
    let group = redis(2, 1);
    let service = Service::start_with("RELOAD_EVERY_SECS=0", &redis_section(&group));
    let page = MetricsPage::until(&service, STATE, "state=\"up\"", |up| up == 4.0).await;
    let shards: Vec<(String, Address)> = group.shards().map(|(name, master, _)| (name, master.clone())).collect();
    let (replica, lost) = (group.replicas(0)[0].address.to_string(), &shards[1].0);
    assert!(page.0.contains(&replica) && page.0.contains(&format!("shard=\"{lost}\"")));
    let next = format!("[shard:{}]\nmaster={}\n", shards[0].0, shards[0].1);
    service.edit(|text| text[..text.find("[shard:").expect("a section")].to_owned() + &next);
    service.reload();
    let page = MetricsPage::until(&service, STATE, "", |states| states == 1.0).await;
    assert!(!page.0.contains(&replica) && !page.0.contains(&format!("shard=\"{lost}\"")), "{}", page.0);
}

#[tokio::test]
async fn hedges_are_counted() {
    let group = redis(1, 2);
    let paths: Vec<Proxy> = group.replicas(0).iter().map(|replica| Proxy::in_front_of(&replica.address)).collect();
    let replicas: Vec<String> = paths.iter().map(|path| path.address.to_string()).collect();
    let (master, replicas) = (&group.master(0).address, replicas.join(", "));
    let service = Service::start(&format!(
        "[redis]\nattempt_timeout_ms=900\nhedge_reads=true\n[shard:a]\nmaster={master}\nreplicas={replicas}\n"
    ));
    let caller = service.caller().await;
    for number in 0..400 {
        caller.read(&format!("warm{number}")).await;
    }
    for path in &paths {
        path.set(Mode::Delay(Duration::from_millis(100)));
    }
    for number in 0..20 {
        caller.read(&format!("slow{number}")).await;
    }
    let page = MetricsPage::of(&service).await;
    assert!(page.sum("cachefront_hedges_total", "") >= 1.0, "{}", page.0);
    assert!(page.sum("cachefront_hedges_won_total", "") <= page.sum("cachefront_hedges_total", ""));
}

#[tokio::test]
async fn a_retried_write_is_counted() {
    let group = redis(1, 2);
    // Probes are so rare that the write discovers the promotion.
    let service = Service::start(&format!("[redis]\nprobe_every_ms=5000\n{}", redis_section(&group)));
    let caller = service.caller().await;
    caller.fill(&keys()).await;
    MetricsPage::until(&service, STATE, "state=\"up\"", |up| up == 3.0).await;
    assert_eq!(MetricsPage::of(&service).await.sum("cachefront_write_retries_total", ""), 0.0);
    let [successor, other] = group.replicas(0) else { panic!("two replicas") };
    assert_eq!(successor.ask("REPLICAOF NO ONE").expect("an answer"), "+OK");
    let follow = format!("REPLICAOF {} {}", successor.address.host, successor.address.port);
    for node in [group.master(0), other] {
        assert_eq!(node.ask(&follow).expect("an answer"), "+OK");
    }
    caller.write("k", &json!(1)).await;
    let page = MetricsPage::of(&service).await;
    assert!(page.sum("cachefront_write_retries_total", "") >= 1.0, "{}", page.0);
    assert_eq!(page.sum("cachefront_shard_promotions_total", ""), 1.0);
}
