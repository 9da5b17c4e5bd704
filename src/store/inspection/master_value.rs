//! The value that a master has for a key, with the means to prove for how long it had it.

use super::{
    change_reports::{ChangeFlag, ChangeReports},
    digest::ValueDigest,
};
use crate::{
    store::{
        consistency::LogicalTime,
        error::NodeError,
        node::{Node, watch_connection::WatchConnection},
        shard::Shard,
        shard_map::{MapHandle, Route, ShardMap},
    },
    types::{Deadline, FullKey},
};
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;

/// The connection of the inspection to a master, and the reports that come over it.
pub struct MasterConnection {
    /// The connection.
    pub connection: WatchConnection,
    /// The marks on the keys that were read over the connection.
    pub reports: Arc<ChangeReports>,
}

/// The master of a key, as it was found.
pub struct MasterRoute {
    /// The shard map that led to the master.
    pub map: Arc<ShardMap>,
    /// The shard of the key.
    pub shard: Arc<Shard>,
    /// The master of the shard.
    pub node: Arc<Node>,
    /// The hash of the key.
    pub hash: u64,
    /// The number of promotions in the shard so far.
    promotions: u64,
}

impl MasterRoute {
    /// Returns the master of a key; `None` while none is accepted and connected.
    pub fn of(map: &MapHandle, key: &FullKey<'_>) -> Option<Self> {
        let map = map.load_full();
        let Route { shard, hash, .. } = map.route(key);
        let promotions = shard.promotions.get();
        let node = shard.members().writable_master().cloned()?;
        let may_be_master = node.is_up() && node.state().may_be_master();
        may_be_master.then(|| Self { shard: Arc::clone(shard.shared()), map, node, hash, promotions })
    }

    /// Returns true if the key has had this master ever since, and still has it.
    pub fn is_unchanged(&self, map: &MapHandle) -> bool {
        let members = self.shard.members();
        Arc::ptr_eq(&self.map, &map.load())
            && self.shard.promotions.get() == self.promotions
            && members.writable_master().is_some_and(|master| master.id == self.node.id)
            && self.node.state().may_be_master()
    }
}

/// The value that a master had for a key at one time.
pub struct MasterValue {
    /// The digest of the value.
    pub digest: ValueDigest,
    /// The time that the key had left to live.
    pub left: Duration,
    /// The time at which the master had the value.
    pub read_at: Instant,
    /// The same time by the clock of the process: what has replicated up to a later time has the value.
    pub covered_from: LogicalTime,
    /// The master.
    pub route: MasterRoute,
    key: FullKey<'static>,
    flag: Arc<ChangeFlag>,
    connection: Arc<MasterConnection>,
}

impl MasterValue {
    /// Reads the value of a key from its master. `now` is the clock of the process.
    pub async fn read(
        route: MasterRoute,
        connection: Arc<MasterConnection>,
        key: &FullKey<'_>,
        now: impl Fn() -> LogicalTime,
        deadline: Deadline,
    ) -> Result<Self, NodeError> {
        let flag = connection.reports.mark(key);
        let value = connection.connection.get(key, deadline).await?;
        Ok(Self {
            digest: ValueDigest::of(value.bytes.as_deref()),
            // A change between both commands is reported as well.
            left: value.left.unwrap_or_default(),
            read_at: Instant::now(),
            covered_from: now().plus_ms(1),
            route,
            key: key.to_owned(),
            flag,
            connection,
        })
    }

    /// Returns the key.
    pub fn key(&self) -> &FullKey<'static> {
        &self.key
    }

    /// Returns true if no change was reported since. A change that was not reported yet is not known.
    pub fn seems_unchanged(&self) -> bool {
        !self.flag.is_set() && self.connection.connection.is_current()
    }

    /// Asks the master again. Returns true if it has had the value ever since, without any change in between: reports of
    /// changes come before the answer.
    pub async fn is_unchanged(&self, deadline: Deadline) -> bool {
        let again = self.connection.connection.get(&self.key, deadline).await;
        again.is_ok_and(|again| ValueDigest::of(again.bytes.as_deref()) == self.digest) && self.seems_unchanged()
    }
}

#[cfg(test)]
impl MasterValue {
    /// Returns the value of a missing key on the first node of a shard, for tests.
    pub fn missing(map: &MapHandle, key: &FullKey<'_>, covered_from: LogicalTime) -> Self {
        let map = map.load_full();
        let Route { shard, hash, .. } = map.route(key);
        let node = Arc::clone(&shard.members().nodes()[0]);
        let reports = Arc::new(ChangeReports::default());
        Self {
            digest: ValueDigest::of(None),
            left: Duration::MAX,
            read_at: Instant::now(),
            covered_from,
            key: key.to_owned(),
            flag: reports.mark(key),
            connection: Arc::new(MasterConnection { connection: WatchConnection::silent(&node), reports }),
            route: MasterRoute { shard: Arc::clone(shard.shared()), map, node, hash, promotions: 0 },
        }
    }
}
