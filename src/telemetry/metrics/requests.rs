//! The metrics of requests and commands: numbers, durations and outcomes.

use super::{
    counter::Counters,
    histogram::{Buckets, Distribution, Histograms},
    labels::{Kind, Label, LoginOutcome, Outcome},
    names,
    writer::MetricsWriter,
};
use std::{fmt, time::Duration};

/// The metrics of all requests that have ended, with a response or because the caller went away.
pub struct RequestMetrics {
    /// Durations by kind and outcome.
    durations: Box<[Histograms<Outcome>]>,
    /// Commands in batches, by kind and outcome. Kinds of other requests stay empty.
    in_batches: Box<[Counters<Outcome>]>,
}

impl Default for RequestMetrics {
    fn default() -> Self {
        Self {
            durations: Kind::ALL.iter().map(|_| Histograms::default()).collect(),
            in_batches: Kind::ALL.iter().map(|_| Counters::default()).collect(),
        }
    }
}

/// Totals over all requests to `/cache`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tally {
    /// Number of requests; a batch is one request.
    pub requests: u64,
    /// Number of commands; each command in a batch counts.
    pub commands: u64,
    /// Number of commands, and of requests without a command, that failed because of the service.
    pub errors: u64,
    /// Number of READs that found a value.
    pub reads_found: u64,
    /// Number of READs of keys that do not exist.
    pub reads_not_found: u64,
    /// Durations of the requests.
    pub durations: Buckets,
}

impl RequestMetrics {
    /// Counts one command of a batch.
    pub fn count_in_batch(&self, kind: Kind, outcome: Outcome) {
        self.in_batches[kind.position()].count(outcome);
    }

    /// Returns the totals over all requests to `/cache`.
    pub fn tally(&self) -> Tally {
        let mut tally = Tally::default();
        for kind in Kind::ALL.iter().filter(|kind| kind.is_of_cache()) {
            for outcome in Outcome::ALL {
                let mut requests = 0;
                for (sum, count) in tally.durations.iter_mut().zip(self.duration(*kind, *outcome).buckets) {
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
                let commands = in_batches.get(*outcome);
                tally.commands += commands;
                tally.errors += if outcome.is_failure() { commands } else { 0 };
            }
        }
        tally.reads_found = self.reads(Outcome::Success);
        tally.reads_not_found = self.reads(Outcome::NotFound);
        tally
    }

    /// Returns the number of READs with this outcome.
    fn reads(&self, outcome: Outcome) -> u64 {
        self.commands(Kind::Read, outcome)
    }

    /// Returns the number of commands of this kind with this outcome, alone and in batches.
    fn commands(&self, kind: Kind, outcome: Outcome) -> u64 {
        self.duration(kind, outcome).count() + self.in_batches[kind.position()].get(outcome)
    }

    /// Returns the durations of requests of this kind with this outcome.
    pub(in crate::telemetry) fn duration(&self, kind: Kind, outcome: Outcome) -> Distribution {
        self.durations[kind.position()].read(outcome)
    }

    /// Records a request that has ended.
    pub(in crate::telemetry) fn observe(&self, kind: Kind, outcome: Outcome, duration: Duration) {
        self.durations[kind.position()].observe(outcome, duration);
    }

    /// Writes the metrics of requests, commands and logins.
    pub(super) fn write(&self, writer: &mut MetricsWriter<'_>) -> fmt::Result {
        let cells = Kind::ALL.iter().flat_map(|kind| Outcome::ALL.iter().map(move |outcome| (*kind, *outcome)));
        // Combinations that never happened are left out: they would be most of the rows.
        let durations = cells
            .map(|(kind, outcome)| ([kind.endpoint(), kind.command(), outcome.name()], self.duration(kind, outcome)))
            .filter(|(_, histogram)| histogram.count() > 0);
        writer.histogram(&names::REQUEST_DURATION, durations)?;
        let commands = Kind::commands().flat_map(|kind| {
            Outcome::ALL.iter().map(move |outcome| ([kind.command(), outcome.name()], self.commands(kind, *outcome)))
        });
        writer.counter(&names::COMMANDS, commands)?;
        let logins = Counters::<LoginOutcome>::default();
        for outcome in Outcome::ALL {
            logins.add(login_outcome(*outcome), self.duration(Kind::Login, *outcome).count());
        }
        writer.counter(&names::LOGINS, logins.rows())
    }
}

/// Returns the outcome of a login request as the metric of logins shows it.
fn login_outcome(outcome: Outcome) -> LoginOutcome {
    match outcome {
        Outcome::Success => LoginOutcome::Success,
        Outcome::Unauthorized => LoginOutcome::Refused,
        _ => LoginOutcome::Failed,
    }
}
