//! Rolling updates and drained nodes behind a real load balancer, without a failed request.

use crate::harness::{Endpoint, HaProxy, Instance, Load, Tls, Traffic, redis, redis_section, signal, until_replicated};
use crate::local_redis::{RedisGroup, free_port};
use std::{
    sync::atomic::{AtomicU8, Ordering::Relaxed},
    time::Duration,
};

/// `HAProxy` has seen that an instance is not ready after 0.4 s; on a busy machine after some more.
const DRAIN_WAIT: &str = "DRAIN_WAIT_SECS=4\n";

/// Returns a loopback address that nobody else uses, so that its ports stay free while an instance is
/// replaced.
fn own_address() -> String {
    static LAST: AtomicU8 = AtomicU8::new(0);
    let [.., high, low] = std::process::id().to_be_bytes();
    format!("127.{}.{high}.{low}", 100 + LAST.fetch_add(1, Relaxed))
}

/// Returns an address that nobody else uses, with two free ports.
pub fn own_endpoint() -> Endpoint {
    let host = own_address();
    let [port, admin_port] = [(); 2].map(|()| free_port(&host).expect("a free port"));
    Endpoint { host, port, admin_port }
}

async fn start(group: &RedisGroup, place: &Endpoint) -> Instance {
    Instance::start_at(group, place, &format!("{DRAIN_WAIT}{}", redis_section(group))).await
}

/// Starts a load on instances behind a load balancer that knows `places`; the first ones have an instance.
async fn under_load(group: &RedisGroup, tls: Tls, places: &[Endpoint], instances: usize) -> Option<(HaProxy, Traffic)> {
    let proxy = HaProxy::start(group, tls, places).await?;
    // At first the load balancer considers all of them ready.
    for position in 0..places.len() {
        proxy.until_used(position, position < instances).await;
    }
    let load = Load { pairs: 6, pause: Duration::from_millis(2), ..Load::on_all([proxy.url()]) };
    Some((proxy, Traffic::start(load).await))
}

/// Ends the instance with this position as Kubernetes does.
async fn end(instance: Instance, position: usize, proxy: &HaProxy, traffic: &Traffic) {
    signal("-TERM", instance.process_id());
    proxy.until_used(position, false).await;
    traffic.until_written().await;
    assert!(instance.ended().await, "instance {position} ended badly");
    traffic.until_written().await;
}

async fn expect_nothing_failed(traffic: Traffic) {
    let summary = traffic.finish().await;
    summary.expect_no_failed_read().expect_no_failed_write().expect_nothing_lost();
}

/// Replaces one of two instances after the other, each at the place of the one before.
async fn roll(tls: Tls) {
    let group = redis(1, 1);
    until_replicated(&group).await;
    let mut instances = Vec::new();
    let places = [own_endpoint(), own_endpoint()];
    for place in &places {
        instances.push(start(&group, place).await);
    }
    let Some((proxy, traffic)) = under_load(&group, tls, &places, 2).await else { return };
    for position in [0, 1] {
        end(instances.remove(position), position, &proxy, &traffic).await;
        instances.insert(position, start(&group, &places[position]).await);
        proxy.until_used(position, true).await;
        traffic.until_written().await;
    }
    expect_nothing_failed(traffic).await;
}

#[tokio::test]
async fn a_rolling_update_behind_a_load_balancer_that_passes_tls_through_fails_no_request() {
    roll(Tls::Passthrough).await;
}

#[tokio::test]
async fn a_rolling_update_behind_a_load_balancer_that_speaks_tls_itself_fails_no_request() {
    roll(Tls::Reencrypt).await;
}

#[tokio::test]
async fn a_node_that_is_drained_fails_no_request() {
    let group = redis(1, 1);
    until_replicated(&group).await;
    // Two on the node, and two places elsewhere.
    let places: Vec<_> = (0..4).map(|_| own_endpoint()).collect();
    let mut instances = Vec::new();
    for place in &places[..2] {
        instances.push(start(&group, place).await);
    }
    let Some((proxy, traffic)) = under_load(&group, Tls::Passthrough, &places, 2).await else { return };
    let mut successors = Vec::new();
    for (position, instance) in instances.into_iter().enumerate() {
        // The budget lets one go at a time, and the next one when the successor is ready.
        end(instance, position, &proxy, &traffic).await;
        successors.push(start(&group, &places[position + 2]).await);
        proxy.until_used(position + 2, true).await;
    }
    traffic.until_written().await;
    expect_nothing_failed(traffic).await;
}
