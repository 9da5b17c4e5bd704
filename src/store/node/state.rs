//! What a node says of itself, and what that means for who may be sent to it.

use super::Node;
use crate::store::{
    consistency::LogicalTime,
    node::replication::{ReplicationInfo, ReplicationRole},
};
use std::{
    sync::{MutexGuard, PoisonError, atomic::Ordering::Relaxed},
    time::Duration,
};

impl Node {
    /// What it last said of itself; `None` if it is not connected, does not tell, or cannot yet.
    pub fn replication_info(&self) -> Option<ReplicationInfo> {
        if self.is_up() { self.last_replication_info().clone().filter(|standing| !standing.loading) } else { None }
    }

    /// True if reads may be answered by it while it is not its shard's master: it is a replica that has its data
    /// and hears what changes.
    pub fn is_readable_replica(&self) -> bool {
        !self.link_down.load(Relaxed) && self.is_usable_replica()
    }

    /// True if reads may be answered by it while its master is lost: it has its data, and that is not too old.
    pub fn is_usable_replica(&self) -> bool {
        self.serves_reads.load(Relaxed) && self.same_lineage.load(Relaxed) && !self.stale.load(Relaxed) && self.is_up()
    }

    /// True if it has all changes that were acknowledged until then.
    pub fn has_replicated_up_to(&self, moment: LogicalTime) -> bool {
        self.replicated_up_to.load(Relaxed) >= moment.ms()
    }

    /// How old the moment is until which it has all changes, as far as is known.
    pub fn lag(&self) -> Option<Duration> {
        let passed = Some(self.replicated_up_to.load(Relaxed)).filter(|passed| *passed > 0)?;
        Some(Duration::from_millis(self.now().ms().saturating_sub(passed)))
    }

    /// True if its shard's reads may fall back on it while it is the master, or taken for it.
    pub fn is_readable_master(&self) -> bool {
        !self.lacks_data.load(Relaxed) && self.is_up()
    }

    /// True if it is not known to be a replica: what it has is the newest that there is.
    pub fn may_be_master(&self) -> bool {
        !self.is_replica.load(Relaxed)
    }

    /// Takes what the node said of itself when it was asked at that moment.
    pub fn update_replication_info(&self, mut standing: Option<ReplicationInfo>, asked: LogicalTime) {
        let mut last = self.last_replication_info();
        // Another connection may have brought a later answer already.
        if self.last_asked.fetch_max(asked.ms(), Relaxed) > asked.ms() {
            return;
        }
        if let (Some(last), Some(now)) = (last.as_ref(), standing.as_mut()) {
            // Started again, it may have gone back to an older file.
            if last.replication_id != now.replication_id || now.offset < last.offset {
                self.replicated_up_to.store(0, Relaxed);
            }
            let promoted = matches!(last.role, ReplicationRole::Replica { .. }) || last.promotion_seen;
            now.promotion_seen = now.role == ReplicationRole::Master && promoted;
        }
        let progressed =
            standing.as_ref().filter(|now| !now.loading).is_some_and(|now| self.record_progress(now, asked));
        if *last != standing {
            let role = standing.as_ref().map(|standing| standing.role);
            if last.as_ref().map(|last| last.role) != role {
                tracing::info!(node = %self.address, ?role, "a node's role");
                self.notify_topology_changed();
            }
        }
        self.record_role(
            standing.as_ref().map(|standing| standing.role),
            standing.as_ref().is_some_and(|now| now.loading),
        );
        if *last != standing || progressed {
            *last = standing;
            drop(last);
            self.notify_changed();
        }
    }

    fn record_role(&self, role: Option<ReplicationRole>, loading: bool) {
        let down_for = match role {
            Some(ReplicationRole::Replica { down_for, .. }) => down_for,
            _ => None,
        };
        let serves_reads = role.is_none_or(|role| matches!(role, ReplicationRole::Replica { synced: true, .. }));
        self.serves_reads.store(serves_reads && !loading, Relaxed);
        let lacks_data = loading || matches!(role, Some(ReplicationRole::Replica { synced: false, .. }));
        self.lacks_data.store(lacks_data, Relaxed);
        self.is_replica.store(matches!(role, Some(ReplicationRole::Replica { .. })), Relaxed);
        self.link_down.store(down_for.is_some(), Relaxed);
        let stale = down_for.zip(self.stale_max).is_some_and(|(down_for, max)| down_for > max);
        self.stale.store(stale, Relaxed);
    }

    /// True if it has passed a later moment than before.
    fn record_progress(&self, now: &ReplicationInfo, asked: LogicalTime) -> bool {
        // Held, so that it cannot move to another shard meanwhile.
        let common = self.shard_context();
        match now.role {
            ReplicationRole::Master if self.same_lineage.load(Relaxed) => {
                common.progress.record_master_offset(&now.replication_id, asked, now.offset);
                false
            }
            // While its link is down its offset says nothing.
            ReplicationRole::Replica { down_for: None, .. } => {
                let passed = common.progress.replicated_up_to(&now.replication_id, now.offset);
                passed.is_some_and(|passed| self.replicated_up_to.fetch_max(passed.ms(), Relaxed) < passed.ms())
            }
            _ => false,
        }
    }

    /// Forgets what it was: it may have been restarted since.
    pub fn clear_replication_info(&self) {
        if !self.is_up() {
            *self.last_replication_info() = None;
            self.replicated_up_to.store(0, Relaxed);
        }
    }

    /// Says whether its data is that of its shard's master.
    pub fn set_same_lineage(&self, in_line: bool) {
        self.same_lineage.store(in_line, Relaxed);
    }

    fn last_replication_info(&self) -> MutexGuard<'_, Option<ReplicationInfo>> {
        self.replication_info.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
