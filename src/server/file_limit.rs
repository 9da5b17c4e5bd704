//! The limit of open files, and the number of connections that fit below it.

use crate::settings::{Settings, Topology};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Maximum number of connections to the admin port; there are few probes and scrapers.
const ADMIN_CONNECTIONS_MAX: usize = 256;
/// Files of the process itself: standard streams, event loops, listeners, and files that are read for a moment.
const OWN_FILES: usize = 64;
/// Files of each worker: its event loop and its handle on the listener.
const FILES_PER_WORKER: usize = 8;
/// Least number of Redis nodes to expect: sentinels and clusters announce nodes that the settings do not name.
const NODES_MIN: usize = 16;
/// Connections to one node besides those of the workers: probes, inspection, and writes that wait for replicas.
const NODE_EXTRAS: usize = 8;

/// The numbers of connections that the limit of open files allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionBudget {
    /// Maximum number of connections to the HTTPS port.
    pub service: usize,
    /// Maximum number of connections to the admin port.
    pub admin: usize,
}

impl ConnectionBudget {
    /// Raises the limit of open files as far as the process may, and fits the connections below it.
    pub fn new(settings: &Settings) -> Self {
        let files_max = raise_limit();
        let wanted = settings.service.connections_max;
        let budget = Self::within(files_max, wanted, redis_files(settings) + own_files(settings));
        if budget.service < wanted {
            let accepted = budget.service;
            tracing::warn!(
                files_max,
                accepted,
                "CONNECTIONS_MAX is {wanted}, but the process may open {files_max} files, and needs some for Redis and \
                 the admin port: at most {accepted} connections are accepted. Raise the limit (LimitNOFILE, ulimit -n) \
                 or lower CONNECTIONS_MAX"
            );
        }
        budget
    }

    /// Keeps `others` files and those of the admin port free, though never more than half of all.
    fn within(files_max: usize, wanted: usize, others: usize) -> Self {
        let admin = ADMIN_CONNECTIONS_MAX.min(files_max / 8).max(1);
        let reserve = (others + admin).min(files_max / 2);
        Self { service: wanted.min(files_max - reserve).max(1), admin }
    }
}

fn own_files(settings: &Settings) -> usize {
    OWN_FILES + FILES_PER_WORKER * settings.service.workers
}

/// Returns the number of connections to Redis: each worker has up to two to each node.
fn redis_files(settings: &Settings) -> usize {
    let nodes = match &settings.topology {
        Topology::Static(shards) => shards.iter().map(|shard| 1 + shard.replicas.len()).sum(),
        Topology::Sentinel(sentinels) => sentinels.addresses.len() + 4 * sentinels.shards.len(),
        Topology::Cluster(nodes) => 4 * nodes.len(),
    };
    nodes.max(NODES_MIN) * (2 * settings.redis.connections_per_node + NODE_EXTRAS)
}

/// Raises the soft limit of open files to the hard one, and returns the limit.
fn raise_limit() -> usize {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: maximum, maximum };
    let current = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => maximum,
        // The old limit works, too.
        Err(error) => {
            tracing::info!(%error, "the limit of open files cannot be raised: {error}");
            current
        }
    };
    // No number means that there is no limit.
    current.map_or(usize::MAX, |files| usize::try_from(files).unwrap_or(usize::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_files_for_redis_and_the_admin_port() {
        for (files_max, expected) in [
            (usize::MAX, ConnectionBudget { service: 10_000, admin: 256 }),
            (65_536, ConnectionBudget { service: 10_000, admin: 256 }),
            (4096, ConnectionBudget { service: 3540, admin: 256 }),
            (256, ConnectionBudget { service: 128, admin: 32 }),
            (8, ConnectionBudget { service: 4, admin: 1 }),
        ] {
            assert_eq!(ConnectionBudget::within(files_max, 10_000, 300), expected, "{files_max} files");
        }
    }
}
