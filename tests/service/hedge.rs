//! Hedges: slow reads are sent to a second node, within a budget.

use crate::harness::{Caller, Mode, Proxy, Service, calls, eventually, redis};
use crate::local_redis::RedisGroup;
use serde_json::json;
use std::time::Duration;

/// Two replicas behind proxies, and a service that reads them.
struct Hedged {
    group: RedisGroup,
    paths: Vec<Proxy>,
    _service: Service,
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
        let hedged = Self { group, paths, _service: service, caller };
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

    /// Reads a key of a replica behind a slow path `count` times; returns the number of reads at the other replica.
    async fn read_slow(&self, count: usize) -> u64 {
        let [first, second] = self.group.replicas(0) else { panic!("two replicas") };
        let before = calls(first, "get");
        self.caller.read("one").await;
        let (slow, other) = if calls(first, "get") > before { (0, second) } else { (1, first) };
        self.paths[slow].set(Mode::Delay(Duration::from_millis(100)));
        let before = calls(other, "get");
        for _ in 0..count {
            assert_eq!(self.caller.run(json!({"command": "READ", "key": "one"})).await["status"], "NOT_FOUND");
        }
        calls(other, "get") - before
    }
}

#[tokio::test]
async fn slow_reads_are_hedged_within_the_budget() {
    let hedged = Hedged::start("hedge_reads=true").await;
    let second_reads = hedged.read_slow(40).await;
    // Ten may have been saved up, and two are earned by forty.
    assert!((1..=12).contains(&second_reads), "{second_reads} second reads");
}

#[tokio::test]
async fn reads_are_not_hedged_by_default() {
    let hedged = Hedged::start("").await;
    assert_eq!(hedged.read_slow(10).await, 0);
}
