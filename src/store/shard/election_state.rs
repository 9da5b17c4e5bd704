//! The state of a shard's master election.

use super::{
    candidacy::{Candidacy, CandidacyState},
    comeback::Comeback,
    election_result::ElectionResult,
    election_rules::Incumbent,
    former_masters::FormerMasters,
    members::Members,
    standing::MasterStanding,
    survey::{Survey, is_awaited, is_connecting_again, is_heard},
};
use crate::{store::node::replication::ReplicationInfo, types::Address};
use std::time::Duration;
use tokio::time::Instant;

/// The facts that an election goes by, besides the answers of the nodes.
#[expect(clippy::struct_excessive_bools, reason = "independent facts; most combinations occur")]
pub struct MasterElection {
    /// The replication id of the last accepted master; empty if none was accepted yet.
    replication_id: String,
    /// The history that the last accepted master continued; empty if there is none.
    previous_id: String,
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
    /// All nodes were heard when the last accepted master was accepted, and it has had its data since.
    is_established: bool,
    /// The histories of the nodes that contest the master.
    rivals: Vec<String>,
    /// The histories of the masters before the last accepted one.
    former: FormerMasters,
    /// The last comeback of the master.
    comeback: Comeback,
    /// The list of nodes has another master than the last accepted one, which is used whatever data it has.
    master_replaced: bool,
    /// The master that came back without data, until it is accepted all the same.
    hold: Option<Hold>,
    /// The time after which a master that came back without data, or a candidate, is accepted.
    hold_time: Duration,
    /// The node that calls itself master without proof, while the listed master is down.
    candidacy: Candidacy,
    /// The last accepted master was a candidate, and some node that was down then has not answered since.
    is_unproven: bool,
}

/// The time for which a master is not accepted.
struct Hold {
    /// The history that the master came back with.
    replication_id: String,
    /// The time at which the master is accepted.
    until: Instant,
}

impl MasterElection {
    /// Creates the election of a shard that has had no master yet; `hold_time` is the time after which a master that came
    /// back without data is accepted.
    pub fn new(hold_time: Duration) -> Self {
        Self {
            replication_id: String::new(),
            previous_id: String::new(),
            run_id: String::new(),
            announced_master: None,
            superseded: None,
            proven_id: None,
            split_brain: false,
            is_established: false,
            rivals: Vec::new(),
            former: FormerMasters::default(),
            comeback: Comeback::default(),
            master_replaced: false,
            hold: None,
            hold_time,
            candidacy: Candidacy::default(),
            is_unproven: false,
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
        (self.master_replaced, self.hold, self.is_unproven) = (true, None, false);
        self.former.clear();
    }

    /// Returns the master that Sentinel or the Redis Cluster announced.
    pub fn announced_master(&self) -> Option<&Address> {
        self.announced_master.as_ref()
    }

    /// Returns true if two nodes call themselves master at the same time.
    pub fn split_brain(&self) -> bool {
        self.split_brain
    }

    /// Returns the node that calls itself master without proof while the listed master is down, and is not used yet.
    pub fn candidate(&self) -> Option<&Address> {
        self.candidacy.current()
    }

    /// Elects the master among the nodes, and decides about its standing. Returns `None` if there are no nodes.
    pub fn run(&mut self, members: &Members, now: Instant) -> Option<ElectionResult> {
        let survey = self.survey(members)?;
        let before = survey.before;
        let (elected, candidate) = self.elect(&survey, now);
        let incumbent = self.incumbent(&survey);
        let has_lost_data = elected == before && !self.master_replaced && incumbent.has_lost_data(&survey.infos);
        let rivals = incumbent.rivals(elected, &survey.infos);
        if elected != before {
            if survey.announced == Some(before) {
                self.superseded = self.announced_master.take().or_else(|| self.superseded.take());
            }
            self.hold = None;
            self.is_unproven = candidate.is_some();
        }
        let look_again = if has_lost_data || elected != before { None } else { self.awaits_answers(&survey, now) };
        let mut lost_data = false;
        let standing = match &survey.infos[elected] {
            _ if look_again.is_some() => members.standing(),
            Some(master) if has_lost_data => {
                lost_data = self.begin_hold(master, now) && !self.hold_time.is_zero();
                if self.hold_ends_after(now) { MasterStanding::Held } else { MasterStanding::Accepted }
            }
            info => self.standing(&survey, elected, info.is_some(), !rivals.is_empty(), now),
        };
        match standing {
            MasterStanding::Contested if !rivals.is_empty() => self.rivals = rivals,
            MasterStanding::Contested => {}
            _ => self.rivals.clear(),
        }
        if look_again.is_none() && standing != MasterStanding::Held {
            self.accept(&survey, elected, standing);
        }
        let masters = survey.masters(elected);
        let split_brain_began = masters.len() > 1 && !self.split_brain;
        self.split_brain = masters.len() > 1;
        Some(ElectionResult {
            before,
            elected,
            standing,
            due: look_again.or_else(|| self.waits_until(standing, candidate)),
            lost_data,
            masters,
            absent_successor: survey.absent_successor(elected),
            split_brain_began,
            candidate,
            is_demoted: elected == before && survey.infos[elected].is_some() && !survey.is_master(elected),
            awaits_answers: look_again.is_some(),
            awaits_first_master: self.replication_id.is_empty() && survey.states.iter().any(|state| is_awaited(state)),
            infos: survey.infos,
            replication_id: self.replication_id.clone(),
        })
    }

    /// Looks at the nodes. Returns `None` if there are none.
    fn survey<'a>(&self, members: &'a Members) -> Option<Survey<'a>> {
        let announced = self.announced_master.as_ref();
        let states: Vec<_> = members.nodes().iter().map(|node| node.state()).collect();
        Some(Survey {
            members,
            before: members.master_position()?,
            announced: announced.and_then(|address| members.nodes().iter().position(|node| node.address == *address)),
            infos: states.iter().map(|state| Some(self.with_proof(state.replication_info()?.clone()))).collect(),
            states,
        })
    }

    /// Elects the master by what the nodes say. Returns it, and the candidate if there is one: it is the elected node once its
    /// time is up.
    fn elect(&mut self, survey: &Survey, now: Instant) -> (usize, Option<(usize, CandidacyState)>) {
        let incumbent = self.incumbent(survey);
        let announced = survey.announced.filter(|node| survey.is_master(*node));
        let elected = announced.unwrap_or_else(|| incumbent.elect(&survey.infos));
        let is_open = elected == survey.before && self.announced_master.is_none();
        let candidate = incumbent.candidate(&survey.infos).filter(|_| is_open);
        let Some((candidate, info)) = candidate.and_then(|node| Some((node, survey.infos[node].as_ref()?))) else {
            self.candidacy.clear();
            return (elected, None);
        };
        let address = &survey.members.nodes()[candidate].address;
        let state = self.candidacy.set(address, info, self.hold_time, now);
        let elected = if state == CandidacyState::Accepted { candidate } else { elected };
        (elected, Some((candidate, state)))
    }

    /// Returns the time at which a master that is held, or a candidate, is accepted.
    fn waits_until(&self, standing: MasterStanding, candidate: Option<(usize, CandidacyState)>) -> Option<Instant> {
        match candidate {
            Some((_, CandidacyState::Waits { until, .. })) => Some(until),
            _ => self.hold.as_ref().filter(|_| standing == MasterStanding::Held).map(|hold| hold.until),
        }
    }

    fn incumbent(&self, survey: &Survey) -> Incumbent<'_> {
        let state = &survey.states[survey.before];
        Incumbent {
            node: survey.before,
            replication_id: &self.replication_id,
            previous_id: &self.previous_id,
            run_id: &self.run_id,
            is_down: !state.is_up() && !state.is_connecting(),
            follows: survey.followed(survey.before),
            is_established: self.is_established,
            rivals: &self.rivals,
            is_unproven: self.is_unproven,
            former: self.former.histories(),
        }
    }

    /// Returns the time at which to look again if the incumbent came back, and other nodes may have more data than is known
    /// of them by now. A master that was held had its time.
    fn awaits_answers(&mut self, survey: &Survey, now: Instant) -> Option<Instant> {
        let master = survey.infos[survey.before].as_ref()?;
        let was_held = self.hold.as_ref().is_some_and(|hold| hold.replication_id == master.replication_id);
        if self.master_replaced || self.hold_time.is_zero() || was_held || !self.incumbent(survey).has_come_back(master)
        {
            return None;
        }
        let asked_at = survey.states[survey.before].asked_at();
        let others = survey.others(survey.before);
        self.comeback.awaits(&master.replication_id, asked_at, others, &self.replication_id, now)
    }

    /// Returns the standing of the elected node, which is not known to have lost data. `is_known` is true if the node has
    /// answered, and `has_rivals` if other nodes contest it.
    fn standing(
        &self,
        survey: &Survey,
        elected: usize,
        is_known: bool,
        has_rivals: bool,
        now: Instant,
    ) -> MasterStanding {
        let standing = survey.members.standing();
        // While another node is only being connected to again, what it said still counts.
        let is_kept = elected == survey.before && survey.others(elected).any(is_connecting_again);
        let is_data_missing = survey.others(elected).any(|other| other.is_missing_with(&self.replication_id));
        match standing {
            // Until the node answers again, nothing new is known of it.
            MasterStanding::Held if !is_known && self.hold_ends_after(now) => MasterStanding::Held,
            MasterStanding::Held if !is_known => MasterStanding::Accepted,
            MasterStanding::Contested if !is_known => {
                let is_over = !is_kept && !is_connecting_again(&survey.states[elected]) && !survey.has_master();
                if is_over { MasterStanding::Accepted } else { MasterStanding::Contested }
            }
            _ if !is_known => standing,
            // A node that has the data, and is lost only now, may come back with it.
            MasterStanding::Held if (is_kept || is_data_missing) && self.hold_ends_after(now) => MasterStanding::Held,
            _ if survey.announced == Some(elected) => MasterStanding::Accepted,
            _ if survey.absent_successor(elected).is_some() => MasterStanding::Deposed,
            MasterStanding::Contested if is_kept => MasterStanding::Contested,
            _ if has_rivals => MasterStanding::Contested,
            _ => MasterStanding::Accepted,
        }
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
    fn accept(&mut self, survey: &Survey, elected: usize, standing: MasterStanding) {
        let Some(master) = survey.infos[elected].as_ref().filter(|info| info.is_master()) else { return };
        if survey.announced == Some(elected) || survey.is_named(master) || master.promotion_seen {
            self.proven_id = Some(master.replication_id.clone());
        }
        let stays = self.incumbent(survey).stays_established(master);
        let is_accepted = standing == MasterStanding::Accepted;
        if elected == survey.before
            && is_accepted
            && survey.others(elected).all(|other| other.replication_info().is_some())
        {
            self.is_unproven = false;
        }
        let are_all_heard = survey.others(elected).all(is_heard) && is_accepted;
        self.is_established = !self.is_unproven && (elected != survey.before || stays || are_all_heard);
        self.master_replaced = false;
        self.former.record(&self.replication_id, master);
        self.replication_id.clone_from(&master.replication_id);
        self.previous_id.clone_from(&master.previous_replication_id);
        self.run_id.clone_from(&master.run_id);
    }

    /// Returns the info with its promotion marked as seen if it is that of the proven master.
    fn with_proof(&self, mut info: ReplicationInfo) -> ReplicationInfo {
        info.promotion_seen |= info.is_master() && self.proven_id.as_ref() == Some(&info.replication_id);
        info
    }
}

#[cfg(test)]
mod tests;
