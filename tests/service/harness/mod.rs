//! The harness: starts services and Redis processes, and sends requests to them.

mod caller;
mod certificates;
mod cluster;
mod collector;
mod described;
mod haproxy;
mod http2;
mod instance;
mod lagging;
mod metrics_page;
mod prometheus;
mod proxy;
mod raw;
mod requirements;
mod sentinels;
mod service;
mod tls_redis;
mod traffic;

pub use caller::{Answer, Caller};
pub use certificates::{Authority, authority};
pub use cluster::Cluster;
pub use collector::{Collector, attribute, span_count};
pub use haproxy::{HaProxy, Tls};
pub use http2::{Http2, Unfinished, connect_tls};
pub use instance::{Endpoint, Instance};
pub use lagging::Lagging;
pub use metrics_page::MetricsPage;
pub use prometheus::{Prometheus, promtool};
pub use proxy::{Mode, Proxy};
pub use raw::{Raw, RawResponse};
pub use requirements::{redis_speaks_tls, report_skipped, skip};
pub use sentinels::{SentinelOptions, Sentinels};
pub use service::{JWT_SECRET, Service, redis_section, shared};
pub use tls_redis::TlsRedis;
pub use traffic::{Load, LoadSummary, Traffic};

use crate::local_redis::{Layout, RedisGroup, RedisProcess};
use std::{
    path::Path,
    process::Command,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::{Duration, Instant},
};

/// Time after which a condition that is not met fails the test; far more than any condition needs.
pub const WAIT_TIMEOUT: Duration = Duration::from_secs(40);

/// The API key that the services of the tests accept.
pub const API_KEY: &str = "a-shared-secret-for-the-tests";

/// Settings under which a part of the answers and changes is inspected, as much as tests need.
pub const INSPECTED: &str = "\n[telemetry]\ninspect_one_in=5\ninspect_per_second=200\n";

/// Settings under which nodes get no more commands than callers send: no read is sent twice, however busy the machine is, and
/// no answer is inspected. More settings of the section `[redis]` may follow.
pub const UNDISTURBED: &str = "[telemetry]\ninspect_one_in=0\n[redis]\nhedge_reads=false\n";

/// Settings of a service whose test needs no Redis: nothing listens on this port.
pub const NO_REDIS: &str = "[redis]\nport=1\n";

/// Starts a group of Redis processes that no other test uses.
pub fn redis(shards: usize, replicas: usize) -> RedisGroup {
    start(&Layout { shards, replicas, ..Layout::default() })
}

/// Starts a group of Redis processes with this layout.
pub fn start(layout: &Layout) -> RedisGroup {
    RedisGroup::start(layout).unwrap_or_else(|problem| panic!("{problem}"))
}

/// Returns the number of times that a node has run a command.
pub fn calls(node: &RedisProcess, command: &str) -> u64 {
    let statistics = node.ask("INFO commandstats").expect("an answer");
    let prefix = format!("cmdstat_{command}:calls=");
    let line = statistics.lines().find_map(|line| line.strip_prefix(&prefix));
    line.map_or(0, |line| line.split(',').next().and_then(|calls| calls.parse().ok()).expect("a number"))
}

/// Waits until a write to each master has reached its replicas, which at first takes up to a second.
pub async fn until_replicated(group: &RedisGroup) {
    static TIMES: AtomicU64 = AtomicU64::new(0);
    // Another value each time, so that no earlier one is found.
    let mark = format!("time-{}", TIMES.fetch_add(1, Relaxed));
    for (shard, _) in group.shards().enumerate() {
        assert_eq!(group.master(shard).ask(&format!("SET replicated {mark}")).expect("an answer"), "+OK");
        for replica in group.replicas(shard) {
            eventually("a write is replicated", async || (replica.ask("GET replicated").ok()? == mark).then_some(()))
                .await;
        }
    }
}

/// Sends a signal to a process.
pub fn signal(name: &str, process: u32) {
    let status = Command::new("kill").args([name, &process.to_string()]).status();
    assert!(status.is_ok_and(|status| status.success()), "kill {name} {process} failed");
}

/// Replaces the settings file in `folder` by one with a changed text, as an editor does.
fn edit_settings(folder: &Path, change: impl FnOnce(String) -> String) {
    let [path, next] = ["setup.config", "setup.config.next"].map(|name| folder.join(name));
    let text = std::fs::read_to_string(&path).expect("the settings are read");
    std::fs::write(&next, change(text)).expect("the settings are written");
    std::fs::rename(next, path).expect("the settings are exchanged");
}

/// Calls `look` repeatedly until it returns a value, and blocks the thread meanwhile. Panics with `what` if it never
/// does.
fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    while start.elapsed() < 2 * WAIT_TIMEOUT {
        if let Some(found) = look() {
            return found;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("timed out: {what}");
}

/// Calls `look` repeatedly until it returns a value. Panics with `what` if it never does.
pub async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let start = Instant::now();
    while start.elapsed() < WAIT_TIMEOUT {
        if let Some(found) = look().await {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("timed out: {what}");
}
