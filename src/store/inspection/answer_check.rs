//! The examination of a sampled answer: does the master have the same value, and if not, for how long has its source
//! been behind?

use super::{
    digest::ValueDigest,
    inspector::{Inspector, Violation},
    master_value::MasterValue,
    masters::CALL_MAX,
    observation::{AnswerOrigin, IsKept, ObservedAnswer},
};
use crate::{
    store::{
        consistency::Freshness,
        error::NodeError,
        node::{Node, call_timeout::CallTimeout, connection_class::ConnectionClass, tracking::TrackedSource},
        protocol::{command::command, operation::OperationKind, reply::parse_get},
    },
    telemetry::metrics::{AnswerSource, Promise},
    types::{Deadline, FullKey},
};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Wait before a source that is behind is asked again; it doubles up to [`PAUSE_MAX`].
const PAUSE_MIN: Duration = Duration::from_millis(5);
/// Longest wait before a source that is behind is asked again.
const PAUSE_MAX: Duration = Duration::from_millis(250);
/// Time after which a source that is behind is not asked any more.
const FOLLOWED_FOR: Duration = Duration::from_secs(10);
/// Time for which the near cache may keep a value whose node answers with another one over the connection that reports
/// changes. The report comes before such an answer, so any time would do.
const INVALIDATION_GRACE: Duration = Duration::from_secs(1);

impl Inspector<'_> {
    /// Compares an answer with the master.
    pub(super) async fn check_answer(&self, answer: ObservedAnswer) {
        let inspection = &self.metrics.inspection;
        let Some(value) = self.master_value(&answer.key, answer.at).await else {
            return inspection.inconclusive.count();
        };
        let source = match &answer.origin {
            AnswerOrigin::Node(node) if node.id == value.route.node.id => AnswerSource::Master,
            AnswerOrigin::Node(_) => AnswerSource::Replica,
            AnswerOrigin::NearCache { .. } => AnswerSource::NearCache,
        };
        inspection.answers.count(source);
        if answer.strict {
            self.watch_read(&value);
        }
        let age = if answer.digest == value.digest {
            Some(Duration::ZERO)
        } else {
            match &answer.origin {
                // The key has changed since.
                AnswerOrigin::Node(_) if source == AnswerSource::Master => None,
                AnswerOrigin::Node(node) => Some(self.follow_replica(node, &value).await),
                AnswerOrigin::NearCache { source, is_kept } => {
                    self.follow_kept(source, is_kept, answer.digest, &value).await
                }
            }
        };
        if let Some(age) = age {
            inspection.staleness.observe(source, age);
        }
    }

    /// Asks a replica until it has the value of the master. Returns the time for which it is known to have been behind.
    async fn follow_replica(&self, replica: &Node, value: &MasterValue) -> Duration {
        let (mut behind, mut pause) = (Duration::ZERO, PAUSE_MIN);
        while behind < FOLLOWED_FOR {
            self.sampler.budget.acquire().await;
            let asked = Instant::now();
            match ask(replica, None, value.key()).await {
                Ok(digest) if digest != value.digest && value.seems_unchanged() => {
                    behind = asked.saturating_duration_since(value.read_at);
                }
                _ => break,
            }
            sleep(pause).await;
            pause = (pause * 2).min(PAUSE_MAX);
        }
        behind
    }

    /// Asks the node of a kept value until the near cache does not keep it any more. Returns the time for which the near
    /// cache is known to have been behind the master; `None` if that was reported as a violation.
    async fn follow_kept(
        &self,
        source: &TrackedSource,
        is_kept: &IsKept,
        kept: ValueDigest,
        value: &MasterValue,
    ) -> Option<Duration> {
        let (mut behind, mut pause) = (Duration::ZERO, PAUSE_MIN);
        // The time of the first answer of the node that the kept value differs from.
        let mut outdated_since: Option<Instant> = None;
        let members = value.route.shard.members();
        let node = members.nodes().iter().find(|node| node.id == source.node)?;
        while behind < FOLLOWED_FOR {
            self.sampler.budget.acquire().await;
            let asked = Instant::now();
            let Ok(current) = ask(node, Some(source), value.key()).await else { break };
            // A report that came before the answer has been processed.
            if !is_kept() {
                break;
            }
            if value.seems_unchanged() {
                behind = asked.saturating_duration_since(value.read_at);
            }
            if current == kept {
                outdated_since = None;
            } else if outdated_since.get_or_insert_with(Instant::now).elapsed() >= INVALIDATION_GRACE {
                let older_by = outdated_since.map(|since| since.elapsed()).unwrap_or_default();
                let shard = value.route.shard.name();
                let (promise, source) = (Promise::Invalidation, AnswerSource::NearCache);
                self.report(&Violation { promise, source, older_by, shard: &shard, node: None });
                return None;
            }
            sleep(pause).await;
            pause = (pause * 2).min(PAUSE_MAX);
        }
        Some(behind)
    }
}

/// Asks a node for a value; with `source`, over the connection that an earlier answer came over.
async fn ask(node: &Node, source: Option<&TrackedSource>, key: &FullKey<'_>) -> Result<ValueDigest, NodeError> {
    let get = command(key, &OperationKind::Get(Freshness::ReadYourWrites));
    let timeout = CallTimeout::until(Deadline::within(CALL_MAX));
    let answer = match source {
        None => node.call(&get, ConnectionClass::Default, timeout).await,
        Some(source) => node.call_at_source(source, &get, timeout).await,
    };
    Ok(ValueDigest::of(parse_get(answer?)?.as_deref()))
}
