//! The slowness of a node: reads go to other replicas while a node is slower than they are.

use super::redis_node::Node;
use std::{sync::atomic::Ordering::Relaxed, time::Duration};

/// Number of reads in a row that another node answered first, after which the node counts as slow.
const LOST_HEDGES_MAX: u32 = 3;
/// Longest time that a node that is not slow takes to answer a probe.
const QUICK: Duration = Duration::from_millis(10);
/// Shortest time for which a node counts as slow. A node that is slow now and then answers some probes quickly.
const SLOW_MIN: Duration = Duration::from_secs(1);

impl Node {
    /// Records that the node answered a read before another one was asked.
    pub fn record_quick_answer(&self) {
        // Written only where something was wrong, because all workers share it.
        if self.lost_hedges.load(Relaxed) > 0 {
            self.lost_hedges.store(0, Relaxed);
        }
    }

    /// Records that another node answered a read first, though it was asked later.
    pub fn record_lost_hedge(&self) {
        if self.lost_hedges.fetch_add(1, Relaxed) + 1 >= LOST_HEDGES_MAX && !self.state.load().is_slow() {
            let now = self.now();
            self.state.update(|state| state.set_slow_since(Some(now)));
            let (address, shard) = (&self.address, self.shard_context().name.get());
            tracing::info!(
                node = %address, %shard,
                "node {address} of shard \"{shard}\" is slow; other replicas are read until it answers quickly again"
            );
        }
    }

    /// Records the time that the node took to answer a probe.
    pub(super) fn record_probe_duration(&self, duration: Duration) {
        let slow_for = self.state.load().slow_since().map(|since| self.now().since(since));
        if duration <= QUICK && slow_for.is_some_and(|slow_for| slow_for >= SLOW_MIN) {
            self.lost_hedges.store(0, Relaxed);
            self.state.update(|state| state.set_slow_since(None));
            let (address, shard) = (&self.address, self.shard_context().name.get());
            tracing::info!(node = %address, %shard, "node {address} of shard \"{shard}\" is no longer slow");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::advance;

    #[tokio::test(start_paused = true)]
    async fn a_slow_node_stays_slow_for_a_while_however_quickly_it_answers_a_probe() {
        let node = Node::unconnected(1);
        for _ in 1..LOST_HEDGES_MAX {
            node.record_lost_hedge();
        }
        assert!(!node.state().is_slow());
        node.record_lost_hedge();
        node.record_probe_duration(Duration::ZERO);
        assert!(node.state().is_slow());
        advance(SLOW_MIN).await;
        node.record_probe_duration(QUICK * 2);
        assert!(node.state().is_slow());
        node.record_probe_duration(QUICK);
        assert!(!node.state().is_slow());
    }
}
