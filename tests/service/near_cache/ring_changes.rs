//! The near cache while the ring changes.

use super::CACHED_FOR_AN_HOUR;
use crate::harness::{Caller, MetricsPage, Service, calls, eventually, redis, redis_section};
use crate::local_redis::RedisGroup;

/// Returns the number of reads that have reached the masters of some shards.
fn gets(group: &RedisGroup) -> u64 {
    (0..2).map(|shard| calls(group.master(shard), "get")).sum()
}

/// Reads each key twice in a row: keys that share a place in the admission filter displace each other.
async fn read_all(caller: &Caller, keys: &[String]) {
    for key in keys {
        caller.read(key).await;
        caller.read(key).await;
    }
}

/// Changes the settings, and expects that only the keys that moved away are read from the masters again.
async fn expect_hits_after(
    service: &Service,
    group: &RedisGroup,
    moved_max: u64,
    change: impl FnOnce(String) -> String,
) {
    let caller = service.caller().await;
    let keys: Vec<String> = (0..200).map(|number| format!("k{number}")).collect();
    eventually("all keys are cached", async || {
        read_all(&caller, &keys).await;
        let before = gets(group);
        read_all(&caller, &keys).await;
        (gets(group) == before).then_some(())
    })
    .await;
    let applied = "cachefront_settings_reloads_total";
    let reloads = MetricsPage::of(service).await.sum(applied, "");
    service.edit(change);
    service.reload();
    MetricsPage::until(service, applied, "", |count| count > reloads).await;
    let before = gets(group);
    for key in &keys {
        caller.read(key).await;
    }
    let missed = gets(group) - before;
    // The keys that moved are read where they are now.
    assert!(missed > 0 && missed < moved_max, "{missed} of 200 keys were read again");
}

#[tokio::test]
async fn an_added_shard_leaves_the_cached_values_of_the_other_keys() {
    let group = redis(2, 0);
    let sections = redis_section(&group);
    let second = sections.find("[shard:b]").expect("a second shard");
    let (one, two) = (sections[..second].to_owned(), sections.clone());
    let service = Service::start_with("RELOAD_EVERY_SECS=0", &format!("{CACHED_FOR_AN_HOUR}{one}"));
    expect_hits_after(&service, &group, 140, |text| text.replace(&one, &two)).await;
}

#[tokio::test]
async fn a_changed_weight_leaves_the_cached_values_of_the_other_keys() {
    let group = redis(2, 0);
    let sections = redis_section(&group);
    let service = Service::start_with("RELOAD_EVERY_SECS=0", &format!("{CACHED_FOR_AN_HOUR}{sections}"));
    expect_hits_after(&service, &group, 70, |text| text.replacen("replicas=\n", "replicas=\nweight=2\n", 1)).await;
}
