//! A sample of all counters.

use crate::{
    store::NodeStatus,
    telemetry::{
        events::now_ms,
        metrics::{Buckets, Tally},
    },
};
use std::{collections::HashMap, time::Duration};
use tokio::time::Instant;

/// All counters at one moment.
#[derive(Clone)]
pub struct HistorySample {
    /// The moment of the sample.
    pub at: Instant,
    /// The moment of the sample, in milliseconds since 1970.
    pub at_ms: u64,
    /// The requests to `/cache` so far.
    pub tally: Tally,
    /// The lookups in the near cache that found a value, so far.
    pub near_hits: u64,
    /// The lookups in the near cache that found none, so far.
    pub near_misses: u64,
    /// The requests that were refused because of a limit, so far.
    pub sheds: u64,
    /// User and kernel time of the process so far, in seconds, where it is known.
    pub cpu_secs: Option<f64>,
    /// The counters of which only the last ones are kept.
    pub details: SampleDetails,
}

/// The counters that are many, so that only those of the last samples are kept.
#[derive(Clone, Default)]
pub struct SampleDetails {
    /// The counters of the nodes, by [`NodeStatus::id`].
    pub nodes: HashMap<u64, NodeCounts>,
    /// The commands that failed because of their shard, by its name.
    pub shard_failures: HashMap<String, u64>,
    /// The errors in replies, in the order of their codes.
    pub errors: Vec<u64>,
}

/// The counters of one node at one moment.
#[derive(Clone, Copy)]
pub struct NodeCounts {
    /// The times to a reply.
    pub durations: Buckets,
    /// The failures so far.
    pub failures: u64,
}

impl NodeCounts {
    /// Returns the counters of a node.
    pub fn of(node: &NodeStatus) -> Self {
        Self { durations: node.durations, failures: node.failures }
    }
}

impl HistorySample {
    /// Creates a sample of this moment. `near` are the lookups in the near cache, hits first.
    pub fn new(tally: Tally, near: (u64, u64), sheds: u64, details: SampleDetails) -> Self {
        let (near_hits, near_misses) = near;
        Self { at: Instant::now(), at_ms: now_ms(), tally, near_hits, near_misses, sheds, cpu_secs: None, details }
    }

    /// Sets the time that the processor has spent on the process.
    #[must_use]
    pub fn with_cpu(self, cpu_secs: Option<f64>) -> Self {
        Self { cpu_secs, ..self }
    }

    /// Returns the sample without the counters of which only the last ones are kept.
    #[must_use]
    pub fn without_details(&self) -> Self {
        Self { details: SampleDetails::default(), ..self.clone() }
    }

    /// Returns the age of an earlier sample at the moment of this one.
    pub fn age(&self, earlier: &Self) -> Duration {
        self.at.saturating_duration_since(earlier.at)
    }
}
