//! Starts services and Redis, and talks to them.

mod caller;
mod certificates;
mod cluster;
mod service;

pub use caller::{Answer, Caller};
pub use certificates::{Authority, authority};
pub use cluster::Cluster;
pub use service::{Service, redis_section, shared};

use cachefront::cli::dev::local_redis::{Group, Layout};
use std::time::{Duration, Instant};

/// How long a condition may take to come true before a test fails; far more than any should need.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// The API key that the services of the tests accept.
pub const API_KEY: &str = "a-shared-secret-for-the-tests";

/// A group of Redis processes of one's own.
pub fn redis(shards: usize, replicas: usize) -> Group {
    start(&Layout { shards, replicas, ..Layout::default() })
}

pub fn start(layout: &Layout) -> Group {
    Group::start(layout).unwrap_or_else(|problem| panic!("{problem}"))
}

/// Looks again and again until `look` finds something; `what` was waited for is said when it never does.
pub async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let start = Instant::now();
    while start.elapsed() < PATIENCE {
        if let Some(found) = look().await {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("waited in vain: {what}");
}
