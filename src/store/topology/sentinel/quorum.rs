//! The views of several sentinels on one master, combined.
//!
//! The highest epoch wins: a sentinel that was cut off during a failover, or was just started, reports a lower one. The
//! last consensus is kept while no sentinel answers. A lower epoch replaces it only if no sentinel has reported the
//! higher one for a while and a majority agrees on the lower one, as after all sentinels were set up anew.

use super::replies::{MasterReply, MasterReport, Replica};
use crate::types::Address;
use std::{
    collections::{BTreeSet, HashMap},
    time::Duration,
};
use tokio::time::Instant;

/// A consensus expires if no sentinel has reported it for this time.
const CONSENSUS_TTL: Duration = Duration::from_secs(10);
/// A node is dropped if every sentinel has considered it down, or has not named it, for this time.
pub const GONE_AFTER: Duration = Duration::from_secs(10);
/// If two updates lie further apart than this, no sentinel answered in between, and that time does not count for the
/// ages of nodes.
const SILENCE_MIN: Duration = Duration::from_secs(3);

/// The views of all sentinels on one master.
pub struct SentinelQuorum {
    /// The view of each sentinel.
    views: Vec<SentinelView>,
    /// The last consensus.
    last: Option<LastConsensus>,
    /// The time at which each node was last known to be alive.
    alive: HashMap<Address, Instant>,
    /// The time at which a sentinel last named nodes.
    nodes_reported: Option<Instant>,
}

/// The view of one sentinel on one master.
#[derive(Clone, Debug, PartialEq, Eq)]
enum SentinelView {
    /// The sentinel has neither answered nor failed to answer yet.
    NotContacted,
    /// The sentinel does not answer.
    Unreachable,
    /// The latest reply of the sentinel.
    Replied(MasterReply),
}

/// The master on which the sentinels last agreed.
struct LastConsensus {
    master: Address,
    epoch: u64,
    /// The time at which a sentinel last reported this master.
    reported: Instant,
}

/// The nodes on which the sentinels agree.
#[derive(Debug, PartialEq, Eq)]
pub struct Consensus {
    /// The master; `None` if the consensus has expired.
    pub master: Option<Address>,
    /// All nodes, the master first; `None` while no sentinel names them.
    pub nodes: Option<Vec<Address>>,
}

impl SentinelQuorum {
    /// Creates a quorum of this number of sentinels, none of which has been contacted.
    pub fn new(sentinels: usize) -> Self {
        Self {
            views: vec![SentinelView::NotContacted; sentinels],
            last: None,
            alive: HashMap::new(),
            nodes_reported: None,
        }
    }

    /// Records the reply of a sentinel.
    pub fn record(&mut self, sentinel: usize, reply: MasterReply) {
        self.views[sentinel] = SentinelView::Replied(reply);
    }

    /// Records that a sentinel does not answer.
    pub fn record_unreachable(&mut self, sentinel: usize) {
        self.views[sentinel] = SentinelView::Unreachable;
    }

    /// Returns true if a sentinel answers that it does not monitor the master, and none answers that it does.
    pub fn name_is_unknown(&self) -> bool {
        self.views.contains(&SentinelView::Replied(MasterReply::UnknownName)) && self.reports().next().is_none()
    }

    /// Returns the error in a sentinel's reply if no sentinel sends a usable one.
    pub fn reply_error(&self) -> Option<&str> {
        if self.reports().next().is_some() {
            return None;
        }
        self.views.iter().find_map(|view| match view {
            SentinelView::Replied(MasterReply::Error(why)) => Some(why.as_str()),
            _ => None,
        })
    }

    /// Returns the consensus; `None` until enough sentinels have answered. `is_up` tells whether this process itself is
    /// connected to a node.
    pub fn consensus(&mut self, now: Instant, is_up: impl Fn(&Address) -> bool) -> Option<Consensus> {
        self.update_master(now);
        let last = self.last.as_ref()?;
        let is_valid = now.saturating_duration_since(last.reported) < CONSENSUS_TTL;
        let master = last.master.clone();
        let nodes = self.update_nodes(now, is_up);
        Some(Consensus { master: is_valid.then_some(master), nodes })
    }

    fn reports(&self) -> impl Iterator<Item = &MasterReport> {
        self.views.iter().filter_map(|view| match view {
            SentinelView::Replied(MasterReply::Report(report)) => Some(report),
            _ => None,
        })
    }

    /// Returns the number of sentinels that report this master with this epoch.
    fn votes(&self, epoch: u64, master: &Address) -> usize {
        self.reports().filter(|report| report.epoch == epoch && report.master == *master).count()
    }

    /// Replaces the last consensus if the sentinels report a newer one.
    fn update_master(&mut self, now: Instant) {
        let Some(epoch) = self.reports().map(|report| report.epoch).max() else { return };
        // Two masters of one epoch are a misconfiguration, or the moment between two commands to a sentinel.
        let candidates = self.reports().filter(|report| report.epoch == epoch).map(|report| &report.master);
        let best = candidates.max_by_key(|master| {
            let is_last = self.last.as_ref().is_some_and(|last| last.master == **master);
            (self.votes(epoch, master), is_last, (*master).clone())
        });
        let Some(master) = best.cloned() else { return };
        let is_majority = self.votes(epoch, &master) * 2 > self.views.len();
        let is_accepted = match &self.last {
            // A single sentinel may have missed the last failover, so the others are waited for.
            None => is_majority || !self.views.contains(&SentinelView::NotContacted),
            Some(last) => {
                let has_expired = now.saturating_duration_since(last.reported) >= CONSENSUS_TTL;
                epoch >= last.epoch || (has_expired && is_majority)
            }
        };
        if is_accepted {
            self.last = Some(LastConsensus { master, epoch, reported: now });
        }
    }

    /// Returns the nodes that are named by the sentinels that report the master of the consensus.
    fn update_nodes(&mut self, now: Instant, is_up: impl Fn(&Address) -> bool) -> Option<Vec<Address>> {
        let last = self.last.as_ref()?;
        let agreeing: Vec<&MasterReport> =
            self.reports().filter(|report| report.epoch == last.epoch && report.master == last.master).collect();
        if agreeing.is_empty() {
            return None;
        }
        let listed: Vec<Replica> = agreeing.into_iter().flat_map(|report| report.replicas.clone()).collect();
        let master = last.master.clone();
        let since_report = self.nodes_reported.map(|reported| now.saturating_duration_since(reported));
        self.nodes_reported = Some(now);
        if let Some(silence) = since_report.filter(|gap| *gap > SILENCE_MIN) {
            self.alive.values_mut().for_each(|alive| *alive += silence);
        }
        for Replica { address, down_for } in listed {
            let down_for = down_for.filter(|_| !is_up(&address)).unwrap_or_default();
            if let Some(seen) = now.checked_sub(down_for) {
                let alive = self.alive.entry(address).or_insert(seen);
                *alive = seen.max(*alive);
            }
        }
        self.alive.insert(master.clone(), now);
        self.alive.retain(|_, alive| now.saturating_duration_since(*alive) < GONE_AFTER);
        let others: BTreeSet<_> = self.alive.keys().filter(|address| **address != master).cloned().collect();
        Some(std::iter::once(master).chain(others).collect())
    }
}

#[cfg(test)]
mod tests;
