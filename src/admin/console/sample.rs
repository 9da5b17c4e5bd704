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
    /// The counters of the nodes, by [`NodeStatus::id`].
    pub nodes: HashMap<u64, NodeCounts>,
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
    pub fn new(tally: Tally, near: (u64, u64), sheds: u64, nodes: HashMap<u64, NodeCounts>) -> Self {
        let (near_hits, near_misses) = near;
        Self { at: Instant::now(), at_ms: now_ms(), tally, near_hits, near_misses, sheds, nodes }
    }

    /// Returns the age of an earlier sample at the moment of this one.
    pub fn age(&self, earlier: &Self) -> Duration {
        self.at.saturating_duration_since(earlier.at)
    }
}
