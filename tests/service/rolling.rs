//! A rolling update, and a node that is drained: behind a real load balancer, not one request fails.

use crate::{
    faults::signal,
    harness::{HaProxy, Instance, Load, Place, Tls, Traffic, redis, redis_section, settled},
};
use cachefront::cli::dev::local_redis::Group;
use std::{
    sync::atomic::{AtomicU8, Ordering::Relaxed},
    time::Duration,
};

/// Longer than HAProxy takes to see that an instance is not ready, ten times over.
const DRAIN_WAIT: &str = "DRAIN_WAIT_SECS=2\n";

/// A loopback address that nobody else uses, so that a port there remains free while its instance is replaced.
fn own_address() -> String {
    static LAST: AtomicU8 = AtomicU8::new(0);
    let [.., high, low] = std::process::id().to_be_bytes();
    format!("127.{}.{high}.{low}", 100 + LAST.fetch_add(1, Relaxed))
}

async fn start(group: &Group, place: &Place) -> Instance {
    Instance::start_at(group, place, &format!("{DRAIN_WAIT}{}", redis_section(group))).await
}

/// Replaces one instance after the other under load, twice.
async fn roll(tls: Tls) {
    let group = redis(1, 1);
    settled(&group).await;
    let mut instances = Vec::new();
    for _ in 0..2 {
        instances.push(start(&group, &Place { host: own_address(), ..Place::default() }).await);
    }
    let places: Vec<_> = instances.iter().map(Instance::place).collect();
    let Some(proxy) = HaProxy::start(&group, tls, &places).await else { return };
    for position in 0..places.len() {
        proxy.until_used(position, true).await;
    }
    let traffic =
        Traffic::start(Load { pairs: 8, pause: Duration::from_millis(1), ..Load::on_all([proxy.url()]) }).await;
    for position in [0, 1, 0, 1] {
        let old = instances.remove(position);
        signal("-TERM", old.process_id());
        proxy.until_used(position, false).await;
        traffic.until_written().await;
        assert!(old.ended().await, "instance {position} ended badly");
        traffic.until_written().await;
        instances.insert(position, start(&group, &places[position]).await);
        proxy.until_used(position, true).await;
        traffic.until_written().await;
    }
    let figures = traffic.finish().await;
    figures.expect_no_failed_read().expect_no_failed_write().expect_nothing_lost();
}

#[tokio::test]
async fn a_rolling_update_behind_a_load_balancer_that_passes_tls_through_fails_no_request() {
    roll(Tls::PassedThrough).await;
}

#[tokio::test]
async fn a_rolling_update_behind_a_load_balancer_that_speaks_tls_itself_fails_no_request() {
    roll(Tls::Anew).await;
}
