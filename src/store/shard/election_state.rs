//! The state of a shard's master election.

use super::{
    election_rules::{Incumbent, elect, is_contested},
    members::Members,
    standing::MasterStanding,
};
use crate::{store::node::replication::ReplicationInfo, types::Address};
use std::{collections::BTreeSet, time::Duration};
use tokio::time::Instant;

/// The facts that an election goes by, besides the answers of the nodes.
pub struct MasterElection {
    /// The replication id of the last accepted master; empty if none was accepted yet.
    replication_id: String,
    /// The process of the last accepted master; empty if that is not known.
    run_id: String,
    /// The master that Sentinel or the Redis Cluster announced; `None` while neither is heard.
    announced_master: Option<Address>,
    /// The announced master from which another node took over.
    superseded: Option<Address>,
    /// The replication id of the last master that was proven to be the one: its promotion counts as seen.
    proven_id: Option<String>,
    /// Two nodes call themselves master at the same time.
    split_brain: bool,
    /// The list of nodes has another master than the last accepted one, which is used whatever data it has.
    master_replaced: bool,
    /// The master that came back without data, until it is accepted all the same.
    hold: Option<Hold>,
    /// The time after which a master that came back without data is accepted.
    hold_time: Duration,
}

/// The time for which a master is not accepted.
struct Hold {
    /// The history that the master came back with.
    replication_id: String,
    /// The time at which the master is accepted.
    until: Instant,
}

/// The result of an election.
pub struct ElectionResult {
    /// The position of the master before the election.
    pub before: usize,
    /// The position of the master from now on.
    pub elected: usize,
    /// The standing of the master from now on.
    pub standing: MasterStanding,
    /// The time at which another election is due, even if no node changes.
    pub due: Option<Instant>,
    /// The master came back without data that its replicas have, and had the data before.
    pub lost_data: bool,
    /// Two nodes call themselves master, and did not before.
    pub split_brain_began: bool,
    /// The elected node says that it is a replica, and no other node is known to have taken over.
    pub is_demoted: bool,
    /// The answers of the nodes that the election was held with.
    infos: Vec<Option<ReplicationInfo>>,
    /// The history whose data the nodes of the shard are to have; empty while none is known.
    replication_id: String,
}

impl MasterElection {
    /// Creates the election of a shard that has had no master yet; `hold_time` is the time after which a master that came
    /// back without data is accepted.
    pub fn new(hold_time: Duration) -> Self {
        Self {
            replication_id: String::new(),
            run_id: String::new(),
            announced_master: None,
            superseded: None,
            proven_id: None,
            split_brain: false,
            master_replaced: false,
            hold: None,
            hold_time,
        }
    }

    /// Sets or clears the announced master. A repeated announcement of a superseded master is ignored. Returns true if
    /// that is a change.
    pub fn set_announced_master(&mut self, master: Option<&Address>) -> bool {
        let is_superseded = master.is_some() && self.superseded.as_ref() == master;
        if self.announced_master.as_ref() == master || is_superseded {
            return false;
        }
        if master.is_some() {
            self.superseded = None;
        }
        self.announced_master = master.cloned();
        true
    }

    /// Records that the list of nodes lacks the master: another one takes its place, whatever data it has.
    pub fn record_replaced_master(&mut self) {
        (self.master_replaced, self.hold) = (true, None);
    }

    /// Returns true if two nodes call themselves master at the same time.
    pub fn split_brain(&self) -> bool {
        self.split_brain
    }

    /// Elects the master among the nodes, and decides about its standing. Returns `None` if there are no nodes.
    pub fn run(&mut self, members: &Members, now: Instant) -> Option<ElectionResult> {
        let (nodes, before) = (members.nodes(), members.master_position()?);
        let infos: Vec<_> =
            nodes.iter().map(|node| node.replication_info().map(|info| self.with_proof(info))).collect();
        let announced = self.announced_master.as_ref();
        let announced = announced.and_then(|address| nodes.iter().position(|node| node.address == *address));
        let incumbent = self.incumbent(members, before);
        let elected =
            announced.filter(|node| is_master(infos[*node].as_ref())).unwrap_or_else(|| elect(incumbent, &infos));
        let has_lost_data = elected == before && !self.master_replaced && incumbent.has_lost_data(&infos);
        if elected != before {
            if announced == Some(before) {
                self.superseded = self.announced_master.take().or_else(|| self.superseded.take());
            }
            self.hold = None;
        }
        let mut lost_data = false;
        // While another node is only being connected to again, what it said still counts.
        let kept = (elected == before && is_any_connecting(members, elected)).then(|| members.standing());
        let standing = match &infos[elected] {
            // Until the node answers again, nothing new is known of it.
            None if members.standing() == MasterStanding::Held && !self.hold_ends_after(now) => {
                MasterStanding::Accepted
            }
            None => members.standing(),
            Some(master) if has_lost_data => {
                lost_data = self.begin_hold(master, now) && !self.hold_time.is_zero();
                if self.hold_ends_after(now) { MasterStanding::Held } else { MasterStanding::Accepted }
            }
            Some(_) if kept == Some(MasterStanding::Held) && self.hold_ends_after(now) => MasterStanding::Held,
            Some(_) if announced == Some(elected) => MasterStanding::Accepted,
            Some(_) if kept == Some(MasterStanding::Contested) || is_contested(elected, &infos) => {
                MasterStanding::Contested
            }
            Some(_) => MasterStanding::Accepted,
        };
        if let Some(master) = infos[elected].as_ref().filter(|info| info.is_master())
            && standing != MasterStanding::Held
        {
            self.accept(master, announced == Some(elected) || is_named_by(infos[before].as_ref(), master));
        }
        let had_split_brain = self.split_brain;
        self.split_brain = has_two_masters(&infos);
        Some(ElectionResult {
            before,
            elected,
            standing,
            due: self.hold.as_ref().filter(|_| standing == MasterStanding::Held).map(|hold| hold.until),
            lost_data,
            split_brain_began: self.split_brain && !had_split_brain,
            is_demoted: elected == before && infos[elected].is_some() && !is_master(infos[elected].as_ref()),
            infos,
            replication_id: self.replication_id.clone(),
        })
    }

    fn incumbent(&self, members: &Members, node: usize) -> Incumbent<'_> {
        let state = members.nodes()[node].state();
        let is_down = !state.is_up() && !state.is_connecting();
        Incumbent { node, replication_id: &self.replication_id, run_id: &self.run_id, is_down }
    }

    /// Begins to hold a master that came back without data. Returns false if it is held already.
    fn begin_hold(&mut self, master: &ReplicationInfo, now: Instant) -> bool {
        let begins = self.hold.as_ref().is_none_or(|hold| hold.replication_id != master.replication_id);
        if begins {
            let replication_id = master.replication_id.clone();
            self.hold = Some(Hold { replication_id, until: now + self.hold_time });
        }
        begins
    }

    /// Returns true if a master is held at this time.
    fn hold_ends_after(&self, now: Instant) -> bool {
        self.hold.as_ref().is_some_and(|hold| hold.until > now)
    }

    /// Records the master that the shard has from now on. Its promotion counts as seen if the master is proven.
    fn accept(&mut self, master: &ReplicationInfo, is_proven: bool) {
        if is_proven || master.promotion_seen {
            self.proven_id = Some(master.replication_id.clone());
        }
        self.master_replaced = false;
        self.replication_id.clone_from(&master.replication_id);
        self.run_id.clone_from(&master.run_id);
    }

    /// Returns the info with its promotion marked as seen if it is that of the proven master.
    fn with_proof(&self, mut info: ReplicationInfo) -> ReplicationInfo {
        info.promotion_seen |= info.is_master() && self.proven_id.as_ref() == Some(&info.replication_id);
        info
    }
}

impl ElectionResult {
    /// Records in the nodes what the election found about them. Returns true if that changed a node.
    pub fn record(&self, members: &Members) -> bool {
        let mut changed = false;
        for (node, info) in members.nodes().iter().zip(&self.infos) {
            // A replica of another master has that one's data. While no master is known, every node is trusted. A node
            // that is gone keeps the mark that it had.
            if let Some(info) = info {
                let same_lineage = self.replication_id.is_empty() || info.replication_id == self.replication_id;
                changed |= node.record_election(info, same_lineage);
            }
        }
        changed
    }
}

/// Returns true if a node besides the given one is being connected to, so that its last answer may still hold.
fn is_any_connecting(members: &Members, except: usize) -> bool {
    let others = members.nodes().iter().enumerate().filter(|(position, _)| *position != except);
    others.map(|(_, node)| node.state()).any(|state| !state.is_up() && state.is_connecting())
}

/// Returns true if two processes call themselves master. A list may name one process twice.
fn has_two_masters(infos: &[Option<ReplicationInfo>]) -> bool {
    let masters: BTreeSet<&str> =
        infos.iter().flatten().filter(|info| info.is_master()).map(|info| info.replication_id.as_str()).collect();
    masters.len() > 1
}

/// Returns true if a node calls itself master.
fn is_master(info: Option<&ReplicationInfo>) -> bool {
    info.is_some_and(ReplicationInfo::is_master)
}

/// Returns true if a demoted node says that it follows the master.
fn is_named_by(demoted: Option<&ReplicationInfo>, master: &ReplicationInfo) -> bool {
    demoted.is_some_and(|info| !info.is_master() && info.replication_id == master.replication_id)
}

#[cfg(test)]
mod tests;
