//! The metrics of one node.

use crate::{
    store::error::NodeError,
    telemetry::{
        metrics::{Counters, Histogram, Label, NodeFailure},
        traces,
    },
};
use tracing::Span;

/// The metrics of one node.
#[derive(Default)]
pub struct NodeMetrics {
    /// The durations of calls that reached the node.
    pub durations: Histogram,
    /// The number of calls that failed, by cause.
    pub failures: Counters<NodeFailure>,
}

impl NodeMetrics {
    /// Counts a call that failed, and ends the call's span.
    pub fn record_outcome<T>(&self, span: &Span, result: &Result<T, NodeError>) {
        let failure = result.as_ref().err().map(NodeError::kind);
        if let Some(failure) = failure {
            self.failures.count(failure);
        }
        traces::end(span, failure.map_or("success", Label::name), failure.is_some());
    }
}
