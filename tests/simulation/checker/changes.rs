//! Changes and batches: what was acknowledged was done by the right node, once, and what was refused was not done.

use super::{Checker, Promise, Violation, reads::position_of};
use crate::history::{Action, Answer, Record};
use std::collections::BTreeMap;

impl Checker<'_> {
    /// Checks one change.
    pub(super) fn check_change(&self, number: usize) -> Option<Violation> {
        let record = &self.records[number];
        let violation = |promise, reason: &str| Some(Violation { promise, record: number, reason: reason.to_owned() });
        if let Action::Write { value, .. } = record.action {
            let made = self.index.times_made(value);
            // After a reload a change runs again, and after two it may run again where it ran first.
            let reloads = self.world.truth.reloads_during(record.instance, (record.asked, record.answered));
            if made > 1.max(reloads) {
                return violation(Promise::AtMostOnce, &format!("the change was made {made} times"));
            }
            if made > 0 && matches!(record.answer, Answer::Refused(_)) {
                return violation(Promise::Refusal, "the change was made");
            }
        }
        let is_explained = match record.answer {
            Answer::Done => self.was_made(record),
            // A deletion that a reload repeats finds nothing on the other shard.
            Answer::Deleted(true) => {
                self.was_made(record) || (self.shards(record).len() > 1 && self.was_current(record, None))
            }
            Answer::Deleted(false) => self.was_current(record, None),
            _ => true,
        };
        if is_explained {
            None
        } else {
            violation(Promise::Acknowledgement, "the master has not done this while the request ran")
        }
    }

    /// Returns true if the accepted master of the shard that has the key made the change while the request ran.
    fn was_made(&self, record: &Record) -> bool {
        let end = (record.answered, record.answered);
        let shards = self.world.truth.owners(&record.key, record.instance, end);
        self.branches_of(shards).any(|(number, branch)| {
            let spans = self.timelines.of(number, &record.key);
            let from = record.asked.max(branch.accepted.expect("accepted"));
            let to = record.answered.min(self.counts_until(number, record.instance));
            position_of(spans, record).is_some_and(|position| (from..=to).contains(&spans[position].from))
        })
    }

    /// Checks that the reads of each batch see the writes before them, and not those after them.
    pub(super) fn check_batches(&self) -> Vec<Violation> {
        let mut batches: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (number, record) in self.records.iter().enumerate() {
            if let Some(batch) = record.batch {
                batches.entry(batch).or_default().push(number);
            }
        }
        let reads = batches.values().flat_map(|batch| batch.iter().map(move |number| (batch, *number)));
        reads.filter_map(|(batch, number)| self.check_read_of_batch(batch, number)).collect()
    }

    fn check_read_of_batch(&self, batch: &[usize], number: usize) -> Option<Violation> {
        let read = &self.records[number];
        let Answer::Value(value) = read.answer else { return None };
        let violation = |reason: String| Some(Violation { promise: Promise::Batch, record: number, reason });
        let of_key =
            batch.iter().map(|other| (*other, &self.records[*other])).filter(|(_, other)| other.key == read.key);
        let (before, after): (Vec<_>, Vec<_>) = of_key.partition(|(other, _)| *other < number);
        let seen_early = after
            .iter()
            .find(|(_, later)| matches!(later.action, Action::Write { value: written, .. } if value == Some(written)));
        if let Some((_, later)) = seen_early {
            return violation(format!("the batch changes the key only later: {later}"));
        }
        let last =
            before.iter().rev().map(|(_, record)| *record).find(|record| !matches!(record.action, Action::Read(_)))?;
        if !matches!(last.answer, Answer::Done | Answer::Deleted(true)) {
            return None;
        }
        let is_seen = self.branches(read).any(|(branch, _)| {
            let spans = self.timelines.of(branch, &read.key);
            position_of(spans, last).is_some_and(|position| spans[position..].iter().any(|span| span.value == value))
        });
        if is_seen { None } else { violation(format!("the batch changed the key before: {last}")) }
    }
}
