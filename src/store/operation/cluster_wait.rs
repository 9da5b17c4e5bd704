//! Waits of one operation for a Redis Cluster that refuses it for now.

use crate::{
    store::{operation::context::OperationContext, topology::cluster::Cluster},
    types::Deadline,
};
use std::time::Duration;
use tokio::time::timeout_at;

/// Length of the first wait; it doubles with each wait up to [`PAUSE_MAX`].
const PAUSE_MIN: Duration = Duration::from_millis(5);
/// Longest wait. While the cluster is down, each waiting operation costs one refused command in this time.
const PAUSE_MAX: Duration = Duration::from_millis(50);

/// The waits of one operation, which end at its deadline.
pub struct ClusterWait<'a> {
    context: &'a OperationContext,
    cluster: &'a Cluster,
    deadline: Deadline,
    pause: Duration,
}

impl<'a> ClusterWait<'a> {
    /// Begins with the shortest wait.
    pub fn new(context: &'a OperationContext, cluster: &'a Cluster, deadline: Deadline) -> Self {
        Self { context, cluster, deadline, pause: PAUSE_MIN }
    }

    /// Waits a moment, or until shards or nodes come or go. Asks for a refresh of the slots. Returns false if the
    /// deadline has passed.
    pub async fn pause(&mut self) -> bool {
        let mut node_set = self.context.map.subscribe();
        self.cluster.request_refresh();
        let until = self.deadline.attempt(self.pause).instant();
        self.pause = (self.pause * 2).min(PAUSE_MAX);
        // The next step is the same after a change and after the timeout.
        let _changed = timeout_at(until, node_set.changed()).await;
        !self.deadline.has_passed()
    }
}
