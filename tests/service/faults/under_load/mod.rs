//! Faults under a continuous load that checks every reply, with the summary of docs/failures.md.

mod callers;
mod cluster;
mod instances;
mod masters;
mod names;
mod paths;
mod replicas;
mod sentinels;
mod states;

use super::{pause, promote, resume, until_ready};
use crate::harness::{INSPECTED, Load, Service, Traffic, redis, redis_section, until_replicated};
use crate::local_redis::RedisGroup;
use std::time::Duration;

/// Time that a fault lasts.
const FAULT: Duration = Duration::from_millis(1500);
/// One attempt, and what a busy machine adds; a read that has another node to go to takes no longer.
const BRIEF: Duration = Duration::from_secs(3);
/// Far more than any fault and its consequences last.
const LONG: Duration = Duration::from_secs(15);

/// Codes with which writes may fail while there is no master.
const WITHOUT_MASTER: [&str; 3] = ["shard_unavailable", "write_unconfirmed", "deadline_passed"];

/// Starts one shard, a service in front of it that inspects its answers, and a load.
async fn under_load(replicas: usize) -> (RedisGroup, Service, Traffic) {
    let group = redis(1, replicas);
    until_replicated(&group).await;
    let service = Service::plain(&format!("{}{INSPECTED}", redis_section(&group)));
    until_ready(&service, "READY").await;
    let traffic = Traffic::start(Load { inspected_by: Some(service.admin), ..Load::on(&service) }).await;
    (group, service, traffic)
}
