//! Reads: each one has to be explained by the values that the key had.

use super::{Checker, Promise, Violation, timeline::Span};
use crate::{
    history::{Action, Answer, Record, Wanted},
    truth::{FETCH_MAX, NEWS_OF_MOVE},
    world::Ms,
};

impl Checker<'_> {
    /// Checks one read.
    pub(super) fn check_read(&self, number: usize) -> Option<Violation> {
        let record = &self.records[number];
        let (Action::Read(wanted), Answer::Value(value)) = (&record.action, &record.answer) else { return None };
        let violation = |promise, reason: String| Some(Violation { promise, record: number, reason });
        if let Some(expired) = value.and_then(|value| self.expired_before(record, value)) {
            return violation(Promise::Expiry, format!("the value expired at {expired} ms"));
        }
        if value.is_none() && *wanted == Wanted::Own && self.is_hidden_by_lost_source(record) {
            return None;
        }
        if !self.is_explained(record, *value) {
            return violation(Promise::Existence, "no accepted master of the shard ever had this".to_owned());
        }
        if self.is_outdated(record, *value) {
            return violation(Promise::Staleness, "the value was replaced long before".to_owned());
        }
        match wanted {
            Wanted::Strict if !self.was_current(record, *value) => {
                violation(Promise::StrictRead, "the master did not have this while the request ran".to_owned())
            }
            Wanted::Own => {
                let during = (record.asked, record.answered);
                let own = self.changes_before(number, &[(record.instance, record.asked)]);
                let sources = self.world.truth.sources(&record.key, during);
                let mut shards = self.shards_for_read(record, &own).into_iter().chain(sources);
                let is_excused = shards.any(|shard| self.is_master_lost(shard, record.instance, during));
                let missed = (!is_excused).then(|| self.missed(record, *value, &own)).flatten();
                missed.and_then(|missed| violation(Promise::OwnWrites, missed))
            }
            Wanted::Token { issued, instance } => {
                let covered = self.changes_before(number, &[(*instance, *issued), (record.instance, record.asked)]);
                self.missed(record, *value, &covered).and_then(|missed| violation(Promise::Token, missed))
            }
            Wanted::Strict => None,
        }
    }

    /// Returns true if the slot of the key began to move so shortly before the instance lost its master that the instance does
    /// not have to know: only that master says that a slot moves, and its replicas lack the keys that have moved.
    fn is_hidden_by_lost_source(&self, record: &Record) -> bool {
        let truth = &self.world.truth;
        let departures =
            truth.departures.iter().filter(|(key, _, began)| *key == record.key && *began <= record.answered);
        departures.into_iter().any(|(_, source, began)| {
            let masters = truth.branches.iter().filter(|branch| {
                branch.shard == *source && branch.accepted.is_some_and(|accepted| accepted <= record.answered)
            });
            let Some(master) = masters.max_by_key(|branch| branch.accepted) else { return false };
            let news = (*began, *began + NEWS_OF_MOVE);
            let has_ended = master.ended.is_some_and(|ended| news.0 <= ended && ended <= news.1.min(record.answered));
            let now = (record.asked.saturating_sub(NEWS_OF_MOVE), record.answered);
            let is_out_of_reach =
                [news, now].into_iter().all(|during| self.was_silent(record.instance, master.node, during));
            has_ended || is_out_of_reach
        })
    }

    fn expired_before(&self, record: &Record, value: u32) -> Option<Ms> {
        let expiry = self.index.expiry(value);
        // A read may share a fetch for the near cache that began before the value expired.
        let slack = if self.world.truth.has_near_cache { FETCH_MAX } else { 0 };
        expiry.filter(|expires_at| *expires_at + slack < record.asked)
    }

    /// Returns true if nothing goes wrong, and yet the value is older than replication and reports of changes take.
    fn is_outdated(&self, record: &Record, value: Option<u32>) -> bool {
        self.world.truth.staleness_max.is_some_and(|max| {
            let asked = record.asked.saturating_sub(max);
            // A replica that lags may have a value that the master has replaced, and let it expire.
            let may_show = |span: &Span| span.may_show(value, record.answered);
            !self.has_span(&Record { asked, ..record.clone() }, may_show)
        })
    }

    /// Returns true if some accepted branch had the value before the answer.
    fn is_explained(&self, record: &Record, value: Option<u32>) -> bool {
        self.branches_for_read(record, &[]).any(|(number, branch)| {
            let spans = self.timelines.of(number, &record.key);
            branch.accepted.is_some_and(|accepted| accepted <= record.answered)
                && spans.iter().any(|span| span.may_show(value, record.answered))
        })
    }

    /// Returns true if the accepted master had the value at a time while the request ran.
    pub(super) fn was_current(&self, record: &Record, value: Option<u32>) -> bool {
        self.has_span(record, |span| span.value == value)
    }

    /// Returns true if the accepted master had a value that fits, at a time while the request ran.
    fn has_span(&self, record: &Record, fits: impl Fn(&Span) -> bool) -> bool {
        self.branches(record).any(|(number, branch)| {
            let from = record.asked.max(branch.accepted.expect("accepted"));
            let to = record.answered.min(self.counts_until(number, record.instance));
            let mut spans = self.timelines.of(number, &record.key).iter();
            spans.any(|span| fits(span) && span.from.max(from) <= span.to.min(to))
        })
    }

    /// Returns the acknowledged changes of the record's key through any of these instances before a time, in the order of
    /// their answers.
    fn changes_before(&self, number: usize, through: &[(usize, Ms)]) -> Vec<&Record> {
        let read = &self.records[number];
        let changes = self.index.changes(&read.key).iter().map(|position| (*position, &self.records[*position]));
        let earlier = changes.filter(|(position, change)| {
            let is_own = change.client == read.client && *position < number && change.asked < read.asked;
            through.iter().any(|(instance, time)| change.instance == *instance && (change.answered < *time || is_own))
        });
        earlier.map(|(_, change)| change).collect()
    }

    /// Returns the reason if no branch that counts explains the value with all these changes.
    fn missed(&self, record: &Record, value: Option<u32>, changes: &[&Record]) -> Option<String> {
        let mut newest = None;
        for (number, branch) in self.branches_for_read(record, changes) {
            if branch.accepted.is_none_or(|accepted| accepted > record.answered)
                || self.superseded_at(number, record.instance) < record.asked
            {
                continue;
            }
            let spans = self.timelines.of(number, &record.key);
            let position = newest_of(spans, changes);
            if spans[position..].iter().any(|span| span.may_show(value, record.answered)) {
                return None;
            }
            newest = Some(spans[position].clone());
        }
        Some(newest.map_or_else(
            || "no master of the shard counted while the request ran".to_owned(),
            |span| format!("the change at {} ms to {:?} had been acknowledged before", span.from, span.value),
        ))
    }
}

/// Returns the position of the last span that one of these changes began.
fn newest_of(spans: &[Span], changes: &[&Record]) -> usize {
    let mut newest: Option<usize> = None;
    for change in changes.iter().rev() {
        if newest.is_some_and(|newest| spans[newest].from > change.answered) {
            break;
        }
        newest = newest.max(position_of(spans, change));
    }
    newest.unwrap_or(0)
}

/// Returns the position of the span that a change began while its request ran.
pub(super) fn position_of(spans: &[Span], change: &Record) -> Option<usize> {
    let first = spans.partition_point(|span| span.from < change.asked);
    let during = spans[first..].iter().take_while(|span| span.from <= change.answered);
    let position = during.into_iter().position(|span| match change.action {
        Action::Write { value, .. } => span.value == Some(value),
        _ => span.value.is_none() && span.changed_by == Some(change.instance),
    });
    position.map(|position| first + position)
}
