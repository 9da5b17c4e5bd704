//! The comparison of a sweep's ring with that of the instance that runs on this machine.

use super::plan::SweepPlan;
use crate::{
    admin::console::ConsoleSnapshot,
    cli::{
        failure::Failure,
        healthcheck,
        keys::inspect::runtime,
        status::request::{AdminUrl, snapshot},
    },
    settings::ServiceConfig,
};
use std::time::Duration;
use tokio::time::timeout;

/// Time for the instance to answer.
const TIMEOUT: Duration = Duration::from_secs(2);

/// Fails if keys are to be deleted, and the instance whose admin port the settings name uses another ring: then it may
/// read the keys that the sweep would delete. An instance that does not answer is no failure, because the sweep need
/// not run beside one.
pub fn check(service: &ServiceConfig, plan: &SweepPlan) -> Result<(), Failure> {
    if !plan.delete || service.admin_port == 0 {
        return Ok(());
    }
    let url = AdminUrl::parse(&format!("http://{}", healthcheck::admin_address(service)))?;
    let answer = runtime()?.block_on(async { timeout(TIMEOUT, snapshot(&url)).await });
    match answer {
        Ok(Ok(running)) if !has_ring(&running, plan) => Err(Failure::general(format!(
            "the instance at {} uses other shards or weights than these settings; sweep with the settings that it uses, \
             after it has reloaded them",
            url.text
        ))),
        _ => Ok(()),
    }
}

fn has_ring(running: &ConsoleSnapshot, plan: &SweepPlan) -> bool {
    let mut shards: Vec<_> = running.shards.iter().map(|shard| (shard.name.as_str(), shard.weight)).collect();
    let mut planned: Vec<_> = plan.shards.iter().map(|(name, weight)| (name.as_str(), Some(*weight))).collect();
    shards.sort_unstable();
    planned.sort_unstable();
    !running.cluster && shards == planned
}
