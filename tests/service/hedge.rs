//! Hedges: slow reads are sent to a second node, within a budget.

use crate::faults::{pause, resume};
use crate::harness::{
    Caller, MetricsPage, Mode, Proxy, Service, calls, eventually, redis, redis_section, until_replicated,
};
use crate::local_redis::RedisGroup;
use serde_json::json;
use std::time::{Duration, Instant};

/// The delay of a slow path, which is longer than any hedged read takes and shorter than an attempt.
const DELAY: Duration = Duration::from_millis(400);

/// Two replicas behind proxies, and a service that reads them.
struct Hedged {
    group: RedisGroup,
    paths: Vec<Proxy>,
    service: Service,
    caller: Caller,
}

impl Hedged {
    async fn start(setting: &str) -> Self {
        let group = redis(1, 2);
        let paths: Vec<Proxy> = group.replicas(0).iter().map(|replica| Proxy::in_front_of(&replica.address)).collect();
        let replicas: Vec<String> = paths.iter().map(|path| path.address.to_string()).collect();
        let service = Service::plain(&format!(
            "[redis]\nattempt_timeout_ms=900\n{setting}\n[shard:a]\nmaster={}\nreplicas={}\n",
            group.master(0).address,
            replicas.join(", ")
        ));
        let caller = service.caller().await;
        let hedged = Self { group, paths, service, caller };
        // Both replicas answer, and reads have shown how long they take.
        eventually("both replicas are read", async || {
            for number in 0..300 {
                hedged.caller.read(&format!("warm{number}")).await;
            }
            hedged.group.replicas(0).iter().all(|replica| calls(replica, "get") > 50).then_some(())
        })
        .await;
        hedged
    }

    /// Slows the path to the replica that answers for a key. Returns the positions of that replica and of the other one.
    async fn slow_down(&self) -> (usize, usize) {
        let before = calls(&self.group.replicas(0)[0], "get");
        self.caller.read("one").await;
        let (slow, other) = if calls(&self.group.replicas(0)[0], "get") > before { (0, 1) } else { (1, 0) };
        self.paths[slow].set(Mode::Delay(DELAY));
        (slow, other)
    }

    /// Returns the number of reads at a replica.
    fn reads(&self, replica: usize) -> u64 {
        calls(&self.group.replicas(0)[replica], "get")
    }

    /// Reads the key `count` times; returns the longest time that a read took.
    async fn read(&self, count: usize) -> Duration {
        let mut longest = Duration::ZERO;
        for _ in 0..count {
            let start = Instant::now();
            assert_eq!(self.caller.run(json!({"command": "READ", "key": "one"})).await["status"], "NOT_FOUND");
            longest = longest.max(start.elapsed());
        }
        longest
    }

    async fn hedges(&self) -> f64 {
        MetricsPage::of(&self.service).await.sum("cachefront_hedges_total", "")
    }
}

#[tokio::test]
async fn a_slow_replica_delays_no_read_and_is_read_again_when_it_is_quick() {
    let hedged = Hedged::start("").await;
    let before = hedged.hedges().await;
    let (slow, other) = hedged.slow_down().await;
    let reads_before = hedged.reads(other);
    let longest = hedged.read(60).await;
    assert!(longest < DELAY, "a read took {longest:?}");
    assert!(hedged.reads(other) - reads_before >= 60, "the other replica answers all of them");
    // Three show that the replica is slow; then the other one is asked first.
    let hedges = hedged.hedges().await - before;
    assert!((3.0..=12.0).contains(&hedges), "{hedges} hedges");
    hedged.paths[slow].set(Mode::Pass);
    eventually("the replica is read again", async || {
        let before = hedged.reads(slow);
        hedged.read(1).await;
        (hedged.reads(slow) > before).then_some(())
    })
    .await;
}

#[tokio::test]
async fn few_reads_are_hedged_while_all_nodes_are_well() {
    let hedged = Hedged::start("").await;
    let before = hedged.hedges().await;
    for number in 0..3000 {
        hedged.caller.read(&format!("k{number}")).await;
    }
    let hedges = hedged.hedges().await - before;
    // What was saved up at the start, and three of a hundred.
    assert!(hedges <= 20.0 + 90.0, "{hedges} of 3,000 reads were sent twice");
}

#[tokio::test]
async fn reads_are_not_hedged_where_that_is_switched_off() {
    let hedged = Hedged::start("hedge_reads=false").await;
    let (_, other) = hedged.slow_down().await;
    let before = hedged.reads(other);
    hedged.read(10).await;
    assert_eq!((hedged.reads(other) - before, hedged.hedges().await), (0, 0.0));
}

#[tokio::test]
async fn changes_of_a_master_that_hangs_are_proven_by_their_values() {
    /// Longer than the test; without a proof, a read would wait for it.
    const ATTEMPT: Duration = Duration::from_secs(15);
    // More than the budget of hedged reads.
    let keys: Vec<String> = (0..150).map(|number| format!("changed{number}")).collect();
    let group = redis(1, 2);
    until_replicated(&group).await;
    let section = format!("[redis]\nattempt_timeout_ms={}\n{}", ATTEMPT.as_millis(), redis_section(&group));
    let service = Service::plain_with("REQUEST_DEADLINE_MS=30000", &section);
    let caller = service.caller().await;
    caller.fill(&keys).await;
    let writes = keys.iter().map(|key| json!({"command": "WRITE", "key": key, "value": "changed"})).collect();
    caller.run(writes).await;
    // The master is asked for its offset some milliseconds after a change, and does not answer any more.
    pause(group.master(0));
    let start = Instant::now();
    for key in &keys {
        assert_eq!(caller.read(key).await, Some(json!("changed")), "{key}");
    }
    let took = start.elapsed();
    resume(group.master(0));
    assert!(took < ATTEMPT, "the reads took {took:?}");
}
