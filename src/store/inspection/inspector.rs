//! The background task of the inspection.

use super::{
    master_value::MasterValue,
    masters::Masters,
    observation::{AcknowledgedChange, Observation},
    sampler::Sampler,
};
use crate::{
    store::{consistency::Clock, shard_map::MapHandle},
    telemetry::{
        events::EventKind,
        metrics::{AnswerSource, Label, Metrics, Promise},
    },
    types::{Address, FullKey},
};
use futures_util::{FutureExt, StreamExt, stream::FuturesUnordered};
use std::{fmt, sync::Arc, time::Duration};
use tokio::time::{Instant, interval};

/// Maximum number of sampled events that are examined at the same time.
const OBSERVATION_CHECKS_MAX: usize = 8;
/// Maximum number of examinations at the same time, those of suspicions included.
const CHECKS_MAX: usize = 32;
/// The longest time between an answer or a change and its examination.
const WAITED_MAX: Duration = Duration::from_secs(1);
/// Interval between two searches for watches that are over.
const SWEEP_EVERY: Duration = Duration::from_millis(500);
/// The least time that the value of a watched key has left. Nodes whose clocks differ may expire it at other times.
const LEFT_MIN: Duration = Duration::from_secs(60);

/// The state of the background task.
pub struct Inspector<'a> {
    /// The sampling, with the watched keys and the limit on commands.
    pub sampler: &'a Sampler,
    /// The shard map.
    pub map: &'a MapHandle,
    /// The metrics of the process, and its events.
    pub metrics: &'a Metrics,
    masters: Masters,
}

/// Examines what `sampler` is given. Never returns.
pub async fn run(sampler: &Sampler, map: &MapHandle, metrics: &Metrics, clock: Clock) {
    let Some(mut queues) = sampler.start() else { return std::future::pending().await };
    let inspector = Inspector { sampler, map, metrics, masters: Masters::new(clock) };
    let mut checks = FuturesUnordered::new();
    let mut sweeps = interval(SWEEP_EVERY);
    loop {
        tokio::select! {
            Some(suspicion) = queues.suspicions.recv(), if checks.len() < CHECKS_MAX => {
                checks.push(inspector.check_suspicion(suspicion).boxed());
            }
            Some(observation) = queues.observations.recv(), if checks.len() < OBSERVATION_CHECKS_MAX => {
                checks.push(inspector.check(observation).boxed());
            }
            Some(()) = checks.next() => {}
            _ = sweeps.tick() => sampler.watches.end_watches(),
        }
    }
}

impl Inspector<'_> {
    async fn check(&self, observation: Observation) {
        match observation {
            Observation::Answer(answer) => self.check_answer(answer).await,
            Observation::Change(change) => self.watch_change(change).await,
        }
    }

    /// Watches a key that this process has changed, if the master still has the change.
    async fn watch_change(&self, change: AcknowledgedChange) {
        match self.master_value(&change.key, change.at).await {
            Some(value) if value.digest == change.digest => {
                if value.left >= LEFT_MIN {
                    self.metrics.inspection.changes.count();
                    self.sampler.watches.watch(value, change.at, true);
                }
            }
            _ => self.metrics.inspection.inconclusive.count(),
        }
    }

    /// Watches a key that a strict read has asked for.
    pub(super) fn watch_read(&self, value: &Arc<MasterValue>) {
        if value.left >= LEFT_MIN {
            self.sampler.watches.watch(Arc::clone(value), value.read_at, false);
        }
    }

    /// Returns the value that the master has for a key that something was observed of at `observed`; `None` if there is no
    /// answer, or if it comes too late.
    pub(super) async fn master_value(&self, key: &FullKey<'_>, observed: Instant) -> Option<Arc<MasterValue>> {
        if observed.elapsed() > WAITED_MAX {
            return None;
        }
        let value = self.masters.value(self.map, key, &self.sampler.budget).await?;
        (value.read_at.saturating_duration_since(observed) <= WAITED_MAX).then(|| Arc::new(value))
    }

    /// Reports an answer that was older than a promise allows.
    pub(super) fn report(&self, violation: &Violation<'_>) {
        let Violation { promise, source, older_by, shard, node } = violation;
        self.metrics.inspection.older_than_promised.count(*promise);
        self.metrics.inspection.staleness.observe(*source, *older_by);
        let (promise_name, source_name, ms) = (promise.name(), source.name(), older_by.as_millis());
        let node = node.as_ref().map(ToString::to_string).unwrap_or_default();
        tracing::error!(
            promise = promise_name, source = source_name, %shard, node, older_by_ms = ms,
            "{violation} by at least {ms} ms"
        );
        self.metrics.events.record(EventKind::StaleAnswer, violation.to_string());
    }
}

/// An answer that was older than a promise allows.
pub struct Violation<'v> {
    /// The promise.
    pub promise: Promise,
    /// The kind of the answer's origin.
    pub source: AnswerSource,
    /// The time by which the answer was too old, at least.
    pub older_by: Duration,
    /// The name of the shard.
    pub shard: &'v str,
    /// The node that answered; `None` for the near cache.
    pub node: Option<&'v Address>,
}

impl fmt::Display for Violation<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "shard {}: an answer of the ", self.shard)?;
        match (self.source, self.node) {
            (AnswerSource::NearCache, _) | (_, None) => write!(f, "near cache")?,
            (source, Some(node)) => write!(f, "{} {node}", source.name())?,
        }
        let promise = match self.promise {
            Promise::OwnChange => "it lacked a change that this instance had acknowledged",
            Promise::SyncToken => "it lacked a change that the sync token covers",
            Promise::Master => "a read from the master lacked what the master had",
            Promise::Invalidation => "the node had reported a change, or should have",
        };
        write!(f, " was older than promised: {promise}")
    }
}
