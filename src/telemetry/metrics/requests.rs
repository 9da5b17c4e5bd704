//! Requests and commands: how many, how long, what came of them.

use super::{
    count::{Buckets, Counters, Histogram},
    labels::{Kind, Label, Login, Outcome},
    names,
    page::MetricsWriter,
};
use crate::telemetry::traces;
use std::{fmt, thread, time::Instant};
use tracing::Span;

/// All that were answered, or given up by their callers.
pub struct RequestMetrics {
    /// By kind and outcome.
    durations: Box<[Histogram]>,
    /// Commands of batches, by kind.
    in_batches: Box<[Counters<Outcome>]>,
}

impl Default for RequestMetrics {
    fn default() -> Self {
        let cells = Kind::ALL.len() * Outcome::ALL.len();
        Self {
            durations: (0..cells).map(|_| Histogram::default()).collect(),
            in_batches: COMMANDS.iter().map(|_| Counters::default()).collect(),
        }
    }
}

/// What a command can be; `Unread` stands for those that could not be read.
const COMMANDS: [Kind; 4] = [Kind::Read, Kind::Write, Kind::Delete, Kind::Unread];

/// All requests to `/cache` so far.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tally {
    pub requests: u64,
    /// Those of batches one by one.
    pub commands: u64,
    /// Commands, or requests without one, that the service failed.
    pub errors: u64,
    /// How long the requests took.
    pub durations: Buckets,
}

/// A request that is being answered. When it is dropped it is noted, with what is known by then.
pub struct RequestTimer<'m> {
    requests: &'m RequestMetrics,
    start: Instant,
    /// Where it is traced.
    span: Span,
    pub kind: Kind,
    /// Until somebody knows better: the caller went away.
    pub outcome: Outcome,
}

impl Drop for RequestTimer<'_> {
    fn drop(&mut self) {
        if self.outcome == Outcome::Cancelled && thread::panicking() {
            self.outcome = Outcome::InternalError;
        }
        self.requests.duration(self.kind, self.outcome).observe(self.start.elapsed());
        if self.kind.command() != "none" {
            self.span.record("command", self.kind.command());
        }
        traces::end_with(&self.span, self.outcome);
    }
}

impl RequestMetrics {
    pub fn start(&self, kind: Kind) -> RequestTimer<'_> {
        RequestTimer {
            requests: self,
            start: Instant::now(),
            span: traces::current(),
            kind,
            outcome: Outcome::Cancelled,
        }
    }

    /// Counts one command of a batch.
    pub fn count_in_batch(&self, kind: Kind, outcome: Outcome) {
        if let Some(position) = COMMANDS.iter().position(|command| *command == kind) {
            self.in_batches[position].count(outcome);
        }
    }

    /// Adds up what was asked of `/cache`.
    pub fn tally(&self) -> Tally {
        let mut tally = Tally::default();
        for kind in Kind::ALL.iter().filter(|kind| kind.is_of_cache()) {
            for outcome in Outcome::ALL {
                let mut requests = 0;
                for (sum, count) in tally.durations.iter_mut().zip(self.duration(*kind, *outcome).buckets()) {
                    *sum += count;
                    requests += count;
                }
                tally.requests += requests;
                tally.commands += if *kind == Kind::Batch { 0 } else { requests };
                tally.errors += if outcome.is_failure() { requests } else { 0 };
            }
        }
        for in_batches in &self.in_batches {
            for outcome in Outcome::ALL {
                let commands = in_batches.of(*outcome).get();
                tally.commands += commands;
                tally.errors += if outcome.is_failure() { commands } else { 0 };
            }
        }
        tally
    }

    fn duration(&self, kind: Kind, outcome: Outcome) -> &Histogram {
        &self.durations[kind.position() * Outcome::ALL.len() + outcome.position()]
    }

    pub(super) fn write(&self, page: &mut MetricsWriter<'_>) -> fmt::Result {
        let cells = Kind::ALL.iter().flat_map(|kind| Outcome::ALL.iter().map(move |outcome| (*kind, *outcome)));
        // What never happened would be most of the page.
        let durations = cells
            .map(|(kind, outcome)| ([kind.endpoint(), kind.command(), outcome.name()], self.duration(kind, outcome)))
            .filter(|(_, histogram)| histogram.count() > 0);
        page.histogram(&names::REQUEST_DURATION, durations)?;
        let commands = COMMANDS.iter().zip(&self.in_batches).flat_map(|(kind, in_batches)| {
            Outcome::ALL.iter().map(|outcome| {
                let alone = self.duration(*kind, *outcome).count();
                ([kind.command(), outcome.name()], alone + in_batches.of(*outcome).get())
            })
        });
        page.counter(&names::COMMANDS, commands)?;
        let logins = Counters::<Login>::default();
        for outcome in Outcome::ALL {
            logins.of(login(*outcome)).add(self.duration(Kind::Login, *outcome).count());
        }
        page.counter(&names::LOGINS, logins.rows())
    }
}

fn login(outcome: Outcome) -> Login {
    match outcome {
        Outcome::Success => Login::Success,
        Outcome::Unauthorized => Login::Refused,
        _ => Login::Failed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_counts_with_what_is_known_of_it_when_it_ends() {
        let requests = RequestMetrics::default();
        let mut measured = requests.start(Kind::Unread);
        (measured.kind, measured.outcome) = (Kind::Read, Outcome::NotFound);
        drop(measured);
        drop(requests.start(Kind::Unread));
        let count = |kind, outcome| requests.duration(kind, outcome).count();
        assert_eq!((count(Kind::Read, Outcome::NotFound), count(Kind::Unread, Outcome::Cancelled)), (1, 1));
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let _measured = requests.start(Kind::Write);
            panic!("a defect for the test");
        }));
        assert!(panicked.is_err());
        assert_eq!(count(Kind::Write, Outcome::InternalError), 1);
    }
}
