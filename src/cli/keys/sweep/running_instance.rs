//! The comparison of a sweep's ring with that of the instance that runs on this machine.

use super::plan::SweepPlan;
use crate::{
    admin::console::ConsoleSnapshot,
    cli::{
        config_args::reachable,
        failure::Failure,
        status::request::{AdminUrl, snapshot},
    },
    settings::ServiceConfig,
};
use std::{net::SocketAddr, time::Duration};
use thiserror::Error;
use tokio::time::{Instant, timeout};

/// Time for the instance to answer.
const TIMEOUT: Duration = Duration::from_secs(2);
/// Time between two looks at the instance.
const INTERVAL: Duration = Duration::from_secs(1);

/// The instance whose admin port the settings name, and the time of the last look at it.
pub struct RunningInstance {
    /// The address of its admin port; `None` if there is none.
    url: Option<AdminUrl>,
    looked_at: Option<Instant>,
}

/// The running instance uses other shards or weights than a sweep.
#[derive(Debug, Error)]
#[error(
    "the instance at {0} uses other shards or weights than these settings; sweep with the settings that it uses, after it \
     has reloaded them"
)]
pub struct OtherRingError(String);

impl RunningInstance {
    /// Prepares looks at the instance.
    pub fn new(service: &ServiceConfig) -> Result<Self, Failure> {
        let url = format!("http://{}", reachable(SocketAddr::new(service.admin_host, service.admin_port)));
        let url = (service.admin_port != 0).then(|| AdminUrl::parse(&url)).transpose()?;
        Ok(Self { url, looked_at: None })
    }

    /// Fails if keys are to be deleted, and the instance uses another ring: then it may read the keys that the sweep would
    /// delete. Looks at most once in [`INTERVAL`], because a reload can change the ring during a sweep. An instance that
    /// does not answer is no failure, because the sweep need not run beside one.
    pub async fn check(&mut self, plan: &SweepPlan) -> Result<(), OtherRingError> {
        let Some(url) = self.url.as_ref().filter(|_| plan.delete) else { return Ok(()) };
        if self.looked_at.is_some_and(|looked_at| looked_at.elapsed() < INTERVAL) {
            return Ok(());
        }
        self.looked_at = Some(Instant::now());
        match timeout(TIMEOUT, snapshot(url)).await {
            Ok(Ok(running)) if !has_ring(&running, plan) => Err(OtherRingError(url.text.clone())),
            _ => Ok(()),
        }
    }
}

fn has_ring(running: &ConsoleSnapshot, plan: &SweepPlan) -> bool {
    let mut shards: Vec<_> = running.shards.iter().map(|shard| (shard.name.as_str(), shard.weight)).collect();
    let mut planned: Vec<_> = plan.shards.iter().map(|(name, weight)| (name.as_str(), Some(*weight))).collect();
    shards.sort_unstable();
    planned.sort_unstable();
    !running.cluster && shards == planned
}
