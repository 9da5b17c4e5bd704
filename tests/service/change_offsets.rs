//! The questions for the master's offset after changes.

use crate::faults::until_ready;
use crate::harness::{Service, calls, eventually, redis, redis_section, until_replicated};
use crate::local_redis::RedisProcess;
use futures_util::future::join_all;
use serde_json::json;
use std::time::Instant;

/// Settings under which nodes are asked for their roles when they are connected, and hardly ever again.
const RARE_PROBES: &str = "[redis]\nprobe_every_ms=60000\n";

/// Counts the `INFO` commands that a node gets from others than this counter.
struct InfoCounter<'a> {
    node: &'a RedisProcess,
    /// Number of commands at the last reset, and those of this counter since.
    before: u64,
    own: u64,
}

impl<'a> InfoCounter<'a> {
    fn new(node: &'a RedisProcess) -> Self {
        // The answer does not count the command itself.
        Self { node, before: calls(node, "info"), own: 1 }
    }

    fn count(&mut self) -> u64 {
        let count = calls(self.node, "info") - self.before - self.own;
        self.own += 1;
        count
    }
}

#[tokio::test]
async fn the_offset_is_asked_for_once_after_the_changes_of_a_moment() {
    let group = redis(1, 1);
    until_replicated(&group).await;
    let service = Service::plain_with("WORKERS=1", &format!("{RARE_PROBES}{}", redis_section(&group)));
    until_ready(&service, "READY").await;
    let caller = service.caller().await;
    let mut single = InfoCounter::new(group.master(0));
    caller.write("single", &json!(1)).await;
    eventually("the offset is asked for", async || (single.count() > 0).then_some(())).await;

    let mut many = InfoCounter::new(group.master(0));
    let start = Instant::now();
    for _ in 0..20 {
        join_all((0..50).map(async |number| caller.write(&format!("k{number}"), &json!(number)).await)).await;
    }
    eventually("the offset is asked for", async || (many.count() > 0).then_some(())).await;
    let (count, most) = (many.count(), start.elapsed().as_millis() / 8 + 2);
    assert!(u128::from(count) <= most, "{count} questions for 1,000 changes; at most {most} in this time");
    assert!(count < 500, "{count} questions for 1,000 changes");
}

#[tokio::test]
async fn a_master_without_replicas_is_not_asked_for_its_offset() {
    let group = redis(1, 0);
    let service = Service::plain_with("WORKERS=1", &format!("{RARE_PROBES}{}", redis_section(&group)));
    until_ready(&service, "READY").await;
    let caller = service.caller().await;
    let mut counter = InfoCounter::new(group.master(0));
    for number in 0..100 {
        caller.write(&format!("k{number}"), &json!(number)).await;
    }
    assert_eq!(counter.count(), 0);
}
