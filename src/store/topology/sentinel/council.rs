//! What several sentinels say of one master, taken together.
//!
//! The highest epoch wins: a sentinel that was cut off during a failover, or has just been started, has a lower one.
//! What won is kept while no sentinel answers. A lower epoch takes over only when the higher one has not been heard
//! of for a while and most sentinels agree, as after they were all set up anew.

use super::answers::{MasterReply, MasterReport, Replica};
use crate::types::Address;
use std::{
    collections::{BTreeSet, HashMap},
    time::Duration,
};
use tokio::time::Instant;

/// What no sentinel has asserted for so long binds nobody any more.
const ASSERTION_LIFE: Duration = Duration::from_secs(10);
/// A node that every sentinel has taken for down for so long, or has not named, is gone.
pub const GONE_AFTER: Duration = Duration::from_secs(10);
/// Time between two looks that is longer was one in which no sentinel answered, and ages nothing.
const UNHEARD_AFTER: Duration = Duration::from_secs(3);

/// The sentinels as they speak of one master.
pub struct SentinelQuorum {
    seats: Vec<SentinelView>,
    kept: Option<LastConsensus>,
    /// When each node was last known to be alive.
    alive: HashMap<Address, Instant>,
    /// When a sentinel last told of nodes.
    told: Option<Instant>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum SentinelView {
    /// Not reached and not yet tried in vain.
    Unheard,
    Silent,
    UnknownName,
    Refuses(String),
    Knows(MasterReport),
}

/// What won.
struct LastConsensus {
    master: Address,
    epoch: u64,
    asserted: Instant,
}

/// What follows from what the sentinels say.
#[derive(Debug, PartialEq, Eq)]
pub struct Consensus {
    /// `None` while nobody has asserted it for a while.
    pub master: Option<Address>,
    /// Master first; `None` while nobody tells.
    pub nodes: Option<Vec<Address>>,
}

impl SentinelQuorum {
    pub fn new(sentinels: usize) -> Self {
        Self { seats: vec![SentinelView::Unheard; sentinels], kept: None, alive: HashMap::new(), told: None }
    }

    pub fn record(&mut self, sentinel: usize, reply: MasterReply) {
        self.seats[sentinel] = match reply {
            MasterReply::Knows(report) => SentinelView::Knows(report),
            MasterReply::UnknownName => SentinelView::UnknownName,
            MasterReply::Refuses(why) => SentinelView::Refuses(why),
        };
    }

    pub fn record_silence(&mut self, sentinel: usize) {
        self.seats[sentinel] = SentinelView::Silent;
    }

    /// True if a sentinel answers that it watches no such master, and none that it does.
    pub fn name_is_unknown(&self) -> bool {
        self.seats.contains(&SentinelView::UnknownName) && self.reports().next().is_none()
    }

    /// Why sentinels answer nothing of use, where none does.
    pub fn refusal(&self) -> Option<&str> {
        if self.reports().next().is_some() {
            return None;
        }
        self.seats.iter().find_map(|seat| if let SentinelView::Refuses(why) = seat { Some(why.as_str()) } else { None })
    }

    /// `None` until enough sentinels were heard. `is_up` tells whether we ourselves reach a node.
    pub fn consensus(&mut self, now: Instant, is_up: impl Fn(&Address) -> bool) -> Option<Consensus> {
        self.choose(now);
        let kept = self.kept.as_ref()?;
        let holds = now.saturating_duration_since(kept.asserted) < ASSERTION_LIFE;
        let master = kept.master.clone();
        let nodes = self.nodes(now, is_up);
        Some(Consensus { master: holds.then_some(master), nodes })
    }

    fn reports(&self) -> impl Iterator<Item = &MasterReport> {
        self.seats.iter().filter_map(|seat| if let SentinelView::Knows(report) = seat { Some(report) } else { None })
    }

    fn choose(&mut self, now: Instant) {
        let Some(epoch) = self.reports().map(|report| report.epoch).max() else { return };
        let votes = |master: &Address| {
            self.reports().filter(|report| report.epoch == epoch && report.master == *master).count()
        };
        let is_kept = |master: &Address| self.kept.as_ref().is_some_and(|kept| kept.master == *master);
        // Of one epoch there are two masters only by mistake, or for the moment between two questions.
        let candidates = self.reports().filter(|report| report.epoch == epoch).map(|report| &report.master);
        let best = candidates.max_by_key(|master| (votes(master), is_kept(master), (*master).clone()));
        let Some(master) = best.cloned() else { return };
        let is_majority = votes(&master) * 2 > self.seats.len();
        let accepted = match &self.kept {
            // One alone may be the one that missed the last failover, so the others are waited for.
            None => is_majority || !self.seats.contains(&SentinelView::Unheard),
            Some(kept) => {
                let obsolete = now.saturating_duration_since(kept.asserted) >= ASSERTION_LIFE;
                epoch >= kept.epoch || (obsolete && is_majority)
            }
        };
        if accepted {
            self.kept = Some(LastConsensus { master, epoch, asserted: now });
        }
    }

    /// The nodes that are there by the word of those who name the master that was chosen.
    fn nodes(&mut self, now: Instant, is_up: impl Fn(&Address) -> bool) -> Option<Vec<Address>> {
        let kept = self.kept.as_ref()?;
        let agrees = |report: &&MasterReport| report.epoch == kept.epoch && report.master == kept.master;
        let listed: Vec<Replica> = self.reports().filter(agrees).flat_map(|report| report.replicas.clone()).collect();
        self.reports().find(agrees)?;
        let master = kept.master.clone();
        let unheard = self.told.map(|told| now.saturating_duration_since(told)).filter(|gap| *gap > UNHEARD_AFTER);
        self.told = Some(now);
        if let Some(gap) = unheard {
            self.alive.values_mut().for_each(|alive| *alive += gap);
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
mod tests {
    use super::*;

    const NOBODY: fn(&Address) -> bool = |_| false;

    fn at(port: u16) -> Address {
        Address { host: "10.0.0.1".to_owned(), port }
    }

    fn secs(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    fn says(master: u16, epoch: u64, replicas: &[u16]) -> MasterReply {
        let replicas = replicas.iter().map(|port| Replica { address: at(*port), down_for: None }).collect();
        MasterReply::Knows(MasterReport { master: at(master), epoch, replicas })
    }

    fn says_down(master: u16, replica: u16, down_for: Duration) -> MasterReply {
        let replicas = vec![Replica { address: at(replica), down_for: Some(down_for) }];
        MasterReply::Knows(MasterReport { master: at(master), epoch: 0, replicas })
    }

    fn council(replies: impl IntoIterator<Item = MasterReply>) -> SentinelQuorum {
        let replies: Vec<MasterReply> = replies.into_iter().collect();
        let mut council = SentinelQuorum::new(replies.len());
        replies.into_iter().enumerate().for_each(|(sentinel, reply)| council.record(sentinel, reply));
        council
    }

    fn master(council: &mut SentinelQuorum, now: Instant) -> Option<u16> {
        council.consensus(now, NOBODY)?.master.map(|address| address.port)
    }

    fn nodes(council: &mut SentinelQuorum, now: Instant) -> Vec<u16> {
        let nodes = council.consensus(now, NOBODY).and_then(|verdict| verdict.nodes).expect("somebody tells");
        nodes.iter().map(|address| address.port).collect()
    }

    #[tokio::test]
    async fn the_highest_epoch_wins_and_a_stale_sentinel_changes_nothing() {
        let now = Instant::now();
        let mut council = council([says(1, 3, &[2]), says(2, 4, &[1]), says(1, 3, &[2])]);
        assert_eq!(master(&mut council, now), Some(2));
        // The one that knows is lost; the others are no majority that has waited long enough.
        council.record_silence(1);
        assert_eq!(master(&mut council, now + secs(1)), Some(2));
        assert_eq!(council.consensus(now + secs(1), NOBODY).expect("a verdict").nodes, None);
    }

    #[tokio::test]
    async fn a_lower_epoch_takes_over_when_most_agree_on_it_for_a_while() {
        let now = Instant::now();
        let mut council = council([says(2, 9, &[]), says(2, 9, &[]), says(2, 9, &[])]);
        assert_eq!(master(&mut council, now), Some(2));
        council.record(0, says(1, 0, &[]));
        council.record_silence(1);
        council.record_silence(2);
        // One of three proves nothing, however long it says so; but nobody asserts the other any more.
        assert_eq!(master(&mut council, now + secs(9)), Some(2));
        assert_eq!(master(&mut council, now + secs(11)), None);
        council.record(1, says(1, 0, &[]));
        assert_eq!(master(&mut council, now + secs(12)), Some(1));
    }

    #[tokio::test]
    async fn the_first_word_waits_for_most_sentinels_or_for_those_that_there_are() {
        let now = Instant::now();
        let mut council = SentinelQuorum::new(3);
        council.record(0, says(1, 0, &[]));
        assert_eq!(council.consensus(now, NOBODY), None);
        council.record_silence(1);
        assert_eq!(council.consensus(now, NOBODY), None);
        council.record(2, says(2, 1, &[]));
        assert_eq!(master(&mut council, now), Some(2));
        let mut council = SentinelQuorum::new(3);
        council.record(0, says(1, 0, &[]));
        council.record(1, says(1, 0, &[]));
        assert_eq!(master(&mut council, now), Some(1));
    }

    #[tokio::test]
    async fn two_masters_of_one_epoch_do_not_take_turns() {
        let now = Instant::now();
        let mut council = council([says(1, 0, &[]), says(1, 0, &[]), says(2, 0, &[])]);
        assert_eq!(master(&mut council, now), Some(1));
        council.record_silence(0);
        assert_eq!(master(&mut council, now), Some(1));
        council.record_silence(1);
        assert_eq!(master(&mut council, now), Some(2));
        council.record(1, says(1, 0, &[]));
        assert_eq!(master(&mut council, now), Some(2));
    }

    #[tokio::test]
    async fn what_won_is_kept_while_no_sentinel_answers_and_nodes_do_not_age() {
        let now = Instant::now();
        let mut council = council([says(1, 0, &[2, 3])]);
        assert_eq!(nodes(&mut council, now), [1, 2, 3]);
        council.record_silence(0);
        assert_eq!(master(&mut council, now + secs(1)), Some(1));
        assert_eq!(master(&mut council, now + secs(60)), None);
        // Started anew, it does not know the replicas yet.
        council.record(0, says(1, 0, &[]));
        assert_eq!(nodes(&mut council, now + secs(61)), [1, 2, 3]);
        assert_eq!(master(&mut council, now + secs(61)), Some(1));
    }

    #[tokio::test]
    async fn a_replica_that_is_down_keeps_its_place_for_a_while_only() {
        let now = Instant::now();
        let mut council = council([says_down(1, 2, secs(3)), says_down(1, 3, secs(100))]);
        assert_eq!(nodes(&mut council, now), [1, 2]);
        council.record(0, says_down(1, 2, secs(11)));
        assert_eq!(nodes(&mut council, now + secs(2)), [1, 2]);
        for later in 3..8 {
            nodes(&mut council, now + secs(later));
        }
        assert_eq!(nodes(&mut council, now + secs(8)), [1]);
        // We reach it, whatever the sentinels say.
        let verdict = council.consensus(now + secs(9), |address| address.port == 3).expect("a verdict");
        assert_eq!(verdict.nodes, Some(vec![at(1), at(3)]));
    }

    #[tokio::test]
    async fn a_replica_that_one_sentinel_still_names_is_there() {
        let now = Instant::now();
        let mut council = council([says(1, 0, &[2]), says(1, 0, &[2, 3])]);
        assert_eq!(nodes(&mut council, now), [1, 2, 3]);
        council.record(1, says(1, 0, &[2]));
        for later in 1..10 {
            assert_eq!(nodes(&mut council, now + secs(later)), [1, 2, 3]);
        }
        assert_eq!(nodes(&mut council, now + secs(11)), [1, 2]);
    }

    #[tokio::test]
    async fn a_name_that_one_sentinel_knows_is_not_unknown() {
        assert!(council([MasterReply::UnknownName, MasterReply::UnknownName]).name_is_unknown());
        assert!(!council([MasterReply::UnknownName, says(1, 0, &[])]).name_is_unknown());
        assert_eq!(council([MasterReply::Refuses("no".to_owned())]).refusal(), Some("no"));
        assert_eq!(council([MasterReply::Refuses("no".to_owned()), says(1, 0, &[])]).refusal(), None);
    }
}
