//! The examination of a suspicion: an answer differed from the value that it had to show. Did the value change before,
//! or was the answer older than promised?

use super::{
    inspector::{Inspector, Violation},
    masters::CALL_MAX,
    observation::Suspicion,
};
use crate::types::Deadline;
use std::time::Duration;
use tokio::time::sleep;

/// Time in which a failover becomes known that had begun before the answer.
const FAILOVER_GRACE: Duration = Duration::from_secs(2);

impl Inspector<'_> {
    /// Reports a violation if the master has had the value without any change, from before the read until now.
    pub(super) async fn check_suspicion(&self, suspicion: Suspicion) {
        let Suspicion { watched, promise, source, node, at } = suspicion;
        self.sampler.budget.acquire().await;
        let route = &watched.value.route;
        if !watched.value.is_unchanged(Deadline::within(CALL_MAX)).await {
            return self.metrics.inspection.inconclusive.count();
        }
        sleep(FAILOVER_GRACE).await;
        if !route.is_unchanged(self.map) {
            return self.metrics.inspection.inconclusive.count();
        }
        let older_by = at.saturating_duration_since(watched.acknowledged);
        let (shard, node) = (route.shard.name(), node.as_ref().map(|node| &node.address));
        self.report(&Violation { promise, source, older_by, shard: &shard, node });
    }
}
