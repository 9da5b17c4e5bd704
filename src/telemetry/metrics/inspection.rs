//! The metrics of the inspection of answers.

use super::{
    counter::{Counter, Counters},
    histogram::{Buckets, Histograms},
    labels::{AnswerSource, Label, Promise},
    names,
    writer::MetricsWriter,
};
use std::fmt;

/// The metrics of the inspection of answers.
#[derive(Default)]
pub struct InspectionMetrics {
    /// Answers that were compared with the master.
    pub answers: Counters<AnswerSource>,
    /// Changes of this process whose reads were watched.
    pub changes: Counter,
    /// Answers that were older than a promise allows.
    pub older_than_promised: Counters<Promise>,
    /// Inspections that proved nothing.
    pub inconclusive: Counter,
    /// The least age of inspected answers: the time for which the master is known to have had another value.
    pub staleness: Histograms<AnswerSource>,
}

impl InspectionMetrics {
    /// Returns the number of answers that were compared with the master.
    pub fn answers_inspected(&self) -> u64 {
        total(&self.answers)
    }

    /// Returns the number of answers that were older than a promise allows.
    pub fn violations(&self) -> u64 {
        total(&self.older_than_promised)
    }

    /// Returns the least ages of the answers from all sources.
    pub fn staleness_of_all(&self) -> Buckets {
        let mut all = Buckets::default();
        for source in AnswerSource::ALL {
            for (sum, count) in all.iter_mut().zip(self.staleness.read(*source).buckets) {
                *sum += count;
            }
        }
        all
    }

    /// Writes the metrics.
    pub fn write(&self, writer: &mut MetricsWriter<'_>) -> fmt::Result {
        writer.counter(&names::INSPECTED_ANSWERS, self.answers.rows())?;
        writer.counter(&names::INSPECTED_CHANGES, [([], self.changes.get())])?;
        writer.counter(&names::OLDER_THAN_PROMISED, self.older_than_promised.rows())?;
        writer.counter(&names::INCONCLUSIVE, [([], self.inconclusive.get())])?;
        let staleness = AnswerSource::ALL.iter().map(|source| ([source.name()], self.staleness.read(*source)));
        writer.histogram(&names::STALENESS, staleness)
    }
}

fn total<L: Label>(counters: &Counters<L>) -> u64 {
    counters.rows().map(|(_, count)| count).sum()
}
