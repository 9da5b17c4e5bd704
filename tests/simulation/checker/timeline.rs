//! The values of each key over time, in each branch, and the times at which a branch counts.

use super::Checker;
use crate::{
    redis::Change,
    truth::{Branch, MIGRATION},
    world::{Ms, World},
};
use std::collections::BTreeMap;

/// The time after a promotion by which an instance that reaches the new master uses it.
pub const NOTICE: Ms = 1500;

/// A time during which a key had one value. Both ends belong to it.
#[derive(Clone, Debug)]
pub struct Span {
    pub from: Ms,
    pub to: Ms,
    pub value: Option<u32>,
    /// The time at which the value expires, on a replica even if the master has replaced it by then.
    pub expires_at: Option<Ms>,
    /// The instance whose change began the span; `None` for the expiry of a value and for the time before all changes.
    pub changed_by: Option<usize>,
}

impl Span {
    /// Returns true if a node may have had the value at a time, however far it lags.
    pub fn may_show(&self, value: Option<u32>, time: Ms) -> bool {
        let has_expired = value.is_none() && self.expires_at.is_some_and(|expires_at| expires_at <= time);
        self.from <= time && (self.value == value || has_expired)
    }
}

/// The only span of a key that was never set.
const NEVER_SET: Span = Span { from: 0, to: Ms::MAX, value: None, expires_at: None, changed_by: None };

/// The spans of each branch and key, in order.
pub struct Timelines(Vec<BTreeMap<String, Vec<Span>>>);

impl Timelines {
    pub fn new(world: &World) -> Self {
        Self(world.truth.branches.iter().map(spans).collect())
    }

    /// Returns the spans of a key in a branch.
    pub fn of(&self, branch: usize, key: &str) -> &[Span] {
        self.0[branch].get(key).map_or(&[NEVER_SET], Vec::as_slice)
    }
}

fn spans(branch: &Branch) -> BTreeMap<String, Vec<Span>> {
    let mut by_key: BTreeMap<String, Vec<Span>> = BTreeMap::new();
    for applied in &branch.history {
        if let Some(change) = &applied.change {
            if !by_key.contains_key(&*change.key) {
                by_key.insert(change.key.to_string(), vec![NEVER_SET]);
            }
            add(by_key.get_mut(&*change.key).expect("just inserted"), applied.time, change);
        }
    }
    for key in branch.adopted.iter().map(|adopted| &adopted.key) {
        let mut spans = vec![NEVER_SET];
        for applied in branch.changes_of(key) {
            add(&mut spans, applied.time, applied.change.as_ref().expect("a change of a key"));
        }
        by_key.insert(key.clone(), spans);
    }
    by_key
}

/// Adds the span that a change of a key begins.
fn add(spans: &mut Vec<Span>, time: Ms, change: &Change) {
    if change.value.is_none() && change.instance == MIGRATION {
        // The key has only moved away.
        return;
    }
    while spans.last().is_some_and(|last| last.from > time && last.changed_by.is_none()) {
        // The value was replaced before its expiry.
        spans.pop();
    }
    if time == 0 {
        // The key exists from the beginning.
        spans.clear();
    } else {
        spans.last_mut().expect("a span").to = time;
    }
    let Change { value, expires_at, instance, .. } = *change;
    spans.push(Span { from: time, to: Ms::MAX, value, expires_at, changed_by: Some(instance) });
    if let Some(expires_at) = expires_at {
        spans.last_mut().expect("a span").to = expires_at;
        spans.push(Span { from: expires_at, to: Ms::MAX, value: None, expires_at: None, changed_by: None });
    }
}

impl Checker<'_> {
    /// Returns the time until which an instance may take a branch for the current one.
    pub fn counts_until(&self, branch: usize, instance: usize) -> Ms {
        let ended = self.world.truth.branches[branch].ended.unwrap_or(Ms::MAX);
        ended.min(self.superseded_at(branch, instance))
    }

    /// Returns the time from which on an instance has to know that another branch is the current one.
    pub fn superseded_at(&self, branch: usize, instance: usize) -> Ms {
        let branches = &self.world.truth.branches;
        let Branch { shard, superseded: Some(superseded), .. } = branches[branch] else { return Ms::MAX };
        let successor = branches.iter().rfind(|it| it.shard == shard && it.accepted == Some(superseded));
        let successor = successor.expect("a branch was accepted");
        let noticed = self.noticed(instance, successor.node, superseded);
        if successor.ended.is_none_or(|ended| ended >= noticed) {
            return noticed;
        }
        // Where there are sentinels, only they tell of a node that has died meanwhile.
        let sentinels = self.world.sentinels().into_iter();
        sentinels.map(|sentinel| self.noticed(instance, sentinel, superseded)).max().unwrap_or(noticed)
    }

    /// Returns the time by which an instance has to know that a node was promoted at `promoted`.
    fn noticed(&self, instance: usize, node: usize, promoted: Ms) -> Ms {
        let mut since = promoted;
        let mut is_open = true;
        for (time, _, _, open) in self.world.network.reachability.iter().filter(|it| (it.1, it.2) == (instance, node)) {
            if is_open && *time >= since + NOTICE {
                break;
            }
            is_open = *open;
            since = if *open { promoted.max(*time) } else { Ms::MAX - NOTICE };
        }
        since.saturating_add(NOTICE)
    }

    /// Returns true if an instance may have lost the master of a shard between two times.
    pub fn is_master_lost(&self, shard: usize, instance: usize, (from, to): (Ms, Ms)) -> bool {
        let truth = &self.world.truth;
        let from = from.saturating_sub(NOTICE + 1000);
        let is_disturbed = truth.disturbances.iter().any(|(time, of)| *of == shard && (from..=to).contains(time));
        let masters = truth.branches.iter().filter(|it| {
            it.shard == shard
                && it.accepted.is_some_and(|accepted| accepted <= to)
                && it.ended.is_none_or(|ended| ended >= from)
        });
        is_disturbed
            || self.has_no_master(shard, (from, to))
            || masters.into_iter().any(|master| self.was_silent(instance, master.node, (from, to)))
    }

    /// Returns true if a shard had no living master at a time between two others. Only the master that was accepted last
    /// counts: the one before may live on, but nobody has to use it.
    fn has_no_master(&self, shard: usize, (from, to): (Ms, Ms)) -> bool {
        let branches = self.world.truth.branches.iter().filter(|it| it.shard == shard);
        let mut terms: Vec<_> = branches.filter_map(|it| Some((it.accepted?, it.ended.unwrap_or(Ms::MAX)))).collect();
        terms.sort_by_key(|(accepted, _)| *accepted);
        let mut until = from;
        while until < to {
            let next = terms.partition_point(|(accepted, _)| *accepted <= until);
            let successor = terms.get(next).map_or(Ms::MAX, |(accepted, _)| *accepted);
            match terms[..next].last() {
                Some((_, ended)) if *ended > until => until = successor.min(*ended),
                _ => return true,
            }
        }
        false
    }

    /// Returns true if the path of an instance to a node was silent at a time between two others.
    pub fn was_silent(&self, instance: usize, node: usize, (from, to): (Ms, Ms)) -> bool {
        let mut open = true;
        for (time, of, to_node, now_open) in &self.world.network.reachability {
            if (*of, *to_node) != (instance, node) {
                continue;
            }
            if *time > to {
                break;
            }
            if *time >= from {
                return true;
            }
            open = *now_open;
        }
        !open
    }
}
