//! A shard whose replica lags behind its master.

use super::{Proxy, redis};
use crate::local_redis::{RedisGroup, RedisProcess};

/// A master, and a replica whose replication stream passes a proxy.
pub struct Lagging {
    /// The group of the master.
    pub group: RedisGroup,
    /// The replica.
    pub replica: RedisProcess,
    /// The path of the replication stream.
    pub stream: Proxy,
}

impl Lagging {
    /// Starts the shard; the replica does not lag yet.
    pub fn start() -> Self {
        let group = redis(1, 0);
        let stream = Proxy::in_front_of(&group.master(0).address);
        let to_proxy = ["--replicaof", &stream.address.host, &stream.address.port.to_string()];
        let replica = group.add(&to_proxy).expect("a replica");
        group.master(0).wait_for_replicas(1).expect("it is online");
        Self { group, replica, stream }
    }

    /// Returns the master.
    pub fn master(&self) -> &RedisProcess {
        self.group.master(0)
    }

    /// Returns the `[shard:a]` section of the settings.
    pub fn section(&self) -> String {
        format!("[shard:a]\nmaster={}\nreplicas={}\n", self.master().address, self.replica.address)
    }
}
