//! The side of the inspection that requests see: it decides which events are handed over, and never waits.

use super::{
    budget::CallBudget,
    digest::ValueDigest,
    observation::{AcknowledgedChange, AnswerOrigin, IsKept, Observation, ObservedAnswer, Suspicion},
    one_in::is_chosen,
    watch_table::WatchTable,
};
use crate::{
    settings::InspectionConfig,
    store::{
        consistency::ReadRequirement,
        node::{Node, NodeId, tracking::TrackedSource},
        shard::{Attempts, Shard},
    },
    telemetry::metrics::AnswerSource,
    types::FullKey,
};
use std::{
    num::NonZeroU32,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU32, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::{sync::mpsc, time::Instant};

/// Maximum number of sampled events that wait; further ones are dropped.
const OBSERVATIONS_MAX: usize = 16;
/// Maximum number of suspicions that wait; further ones are dropped.
const SUSPICIONS_MAX: usize = 64;

/// Time after which the invalidations have been processed that were under way when the master's value was read. Answers of
/// the near cache are compared after that.
const INVALIDATION_GRACE: Duration = Duration::from_secs(1);

/// The queues that the task of the inspection reads.
pub struct Queues {
    /// The sampled events.
    pub observations: mpsc::Receiver<Observation>,
    /// The suspicions.
    pub suspicions: mpsc::Receiver<Suspicion>,
}

/// The sampling of answers and changes.
pub struct Sampler {
    /// The keys that are watched.
    pub watches: WatchTable,
    /// The limit on commands per second.
    pub budget: CallBudget,
    /// The number of events of which one is sampled; 0 while the inspection does not run.
    one_in: AtomicU32,
    one_in_configured: AtomicU32,
    is_running: AtomicBool,
    observations: mpsc::Sender<Observation>,
    suspicions: mpsc::Sender<Suspicion>,
    queues: Mutex<Option<Queues>>,
}

/// The answer of a node to a read.
#[derive(Clone, Copy)]
pub struct NodeAnswerView<'a> {
    /// The node.
    pub node: &'a Arc<Node>,
    /// The node had everything that the read has to show when it was asked.
    pub covers: bool,
    /// The value; `None` if the key does not exist.
    pub bytes: Option<&'a [u8]>,
}

/// A read of a watched key that the near cache may answer.
pub struct WatchedRead {
    number: NonZeroU32,
    requirement: ReadRequirement,
    /// The node that the read would be sent to.
    node: NodeId,
}

/// The answer of the near cache to a read.
pub struct KeptAnswer<'a> {
    /// The digest of the value.
    pub digest: ValueDigest,
    /// The connection that the value was read over.
    pub source: &'a TrackedSource,
    /// The watch under which the key was before the near cache was asked.
    pub watched: Option<WatchedRead>,
}

impl WatchedRead {
    /// Returns the watch of a key that the near cache is asked for; `None` if the key is not watched, or an answer would
    /// prove nothing. `shard` is that of the key.
    pub fn new(sampler: &Sampler, shard: &Shard, requirement: ReadRequirement) -> Option<Self> {
        let number = requirement.watch?;
        let node = shard.members().choose(&requirement, &Attempts::default())?.node.clone();
        sampler.covers(&requirement, shard, &node).then_some(Self { number, requirement, node: node.id })
    }
}

impl Sampler {
    /// Creates a sampler. Nothing is sampled before [`Sampler::start`].
    pub fn new(config: InspectionConfig) -> Self {
        let (observations, observed) = mpsc::channel(OBSERVATIONS_MAX);
        let (suspicions, suspected) = mpsc::channel(SUSPICIONS_MAX);
        Self {
            watches: WatchTable::default(),
            budget: CallBudget::new(config.per_second),
            one_in: AtomicU32::new(0),
            one_in_configured: AtomicU32::new(config.one_in),
            is_running: AtomicBool::new(false),
            observations,
            suspicions,
            queues: Mutex::new(Some(Queues { observations: observed, suspicions: suspected })),
        }
    }

    /// Applies changed settings.
    pub fn configure(&self, config: InspectionConfig) {
        self.budget.set_per_second(config.per_second);
        self.one_in_configured.store(config.one_in, Relaxed);
        if self.is_running.load(Relaxed) {
            self.one_in.store(config.one_in, Relaxed);
        }
    }

    /// Starts to sample. Returns the queues to read; `None` if that was done before.
    pub fn start(&self) -> Option<Queues> {
        let queues = self.queues.lock().unwrap_or_else(PoisonError::into_inner).take()?;
        self.is_running.store(true, Relaxed);
        self.one_in.store(self.one_in_configured.load(Relaxed), Relaxed);
        Some(queues)
    }

    /// Returns true if a node has everything that a read of a watched key has to show, and the value that it is compared
    /// with: another client may have changed the key, and changed it back, before the inspection saw that value. To be called
    /// before the node is asked. Returns false for other keys, for which that does not matter.
    pub fn covers(&self, requirement: &ReadRequirement, shard: &Shard, node: &Node) -> bool {
        let Some(number) = requirement.watch else { return false };
        let Some(watched) = self.watches.get(number, requirement.hash) else { return false };
        let since = requirement.since.max(watched.value.covered_from);
        shard.is_master(node) || node.state().has_replicated_up_to(since)
    }

    /// Observes the answer of a node to a read.
    pub fn observe_read(&self, key: &FullKey<'_>, requirement: &ReadRequirement, answer: NodeAnswerView<'_>) {
        if self.is_due() {
            let origin = AnswerOrigin::Node(Arc::clone(answer.node));
            self.push_answer(key, ValueDigest::of(answer.bytes), origin, requirement.strict);
        }
        if let Some(number) = requirement.watch.filter(|_| answer.covers) {
            self.compare(number, key, requirement, ValueDigest::of(answer.bytes), Some(answer.node));
        }
    }

    /// Returns true if any key is watched.
    pub fn watches_any(&self) -> bool {
        !self.watches.is_empty()
    }

    /// Observes an answer of the near cache. `is_kept` is called for a sampled answer only.
    pub fn observe_kept(&self, key: &FullKey<'_>, answer: KeptAnswer<'_>, is_kept: impl FnOnce() -> IsKept) {
        let KeptAnswer { digest, source, watched } = answer;
        if self.is_due() {
            let origin = AnswerOrigin::NearCache { source: source.clone(), is_kept: is_kept() };
            self.push_answer(key, digest, origin, false);
        }
        // The near cache may have been asked a moment later than the choice was made.
        if let Some(WatchedRead { number, requirement, .. }) = watched.filter(|read| read.node == source.node) {
            self.compare(number, key, &requirement, digest, None);
        }
    }

    /// Observes a change that was acknowledged and recorded. `digest` returns the digest of the new value.
    pub fn observe_change(&self, key: &FullKey<'_>, digest: impl FnOnce() -> ValueDigest) {
        if self.is_due() {
            let change = AcknowledgedChange { key: key.to_owned(), digest: digest(), at: Instant::now() };
            self.push(Observation::Change(change));
        }
    }

    fn is_due(&self) -> bool {
        is_chosen(self.one_in.load(Relaxed)) && self.observations.capacity() > 0
    }

    fn push_answer(&self, key: &FullKey<'_>, digest: ValueDigest, origin: AnswerOrigin, strict: bool) {
        let key = key.to_owned();
        self.push(Observation::Answer(ObservedAnswer { key, digest, origin, strict, at: Instant::now() }));
    }

    fn push(&self, observation: Observation) {
        // A full queue holds enough samples.
        let _queued = self.observations.try_send(observation);
    }

    /// Compares an answer, which had to show the value of a watched key unless that has changed.
    fn compare(
        &self,
        number: NonZeroU32,
        key: &FullKey<'_>,
        requirement: &ReadRequirement,
        digest: ValueDigest,
        node: Option<&Arc<Node>>,
    ) {
        let Some(watched) = self.watches.get(number, requirement.hash) else { return };
        if node.is_none() && watched.value.read_at.elapsed() < INVALIDATION_GRACE {
            return;
        }
        let Some(promise) = watched.promise(requirement) else { return };
        if watched.suspect(key, digest) {
            let source = match node {
                None => AnswerSource::NearCache,
                Some(node) if watched.value.route.node.id == node.id => AnswerSource::Master,
                Some(_) => AnswerSource::Replica,
            };
            let suspicion = Suspicion { watched, promise, source, node: node.cloned(), at: Instant::now() };
            // A full queue holds enough to report.
            let _queued = self.suspicions.try_send(suspicion);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        ring::{Ring, Weight},
        store::{
            change_signal::ChangeSignal,
            consistency::{LogicalTime, ReplicationProgress},
            inspection::master_value::MasterValue,
            node::{
                NodeContext,
                replication::{ReplicationInfo, ReplicationRole},
            },
            shard_map::{MapHandle, Routing, ShardMap},
        },
        types::{Address, Key},
    };
    use std::borrow::Cow;

    /// Records the answer of a replica that has replicated up to `time`.
    fn replicate(replica: &Node, time: LogicalTime) {
        let progress = ReplicationProgress::default();
        progress.record_master_offset("id", time, 0);
        let role = ReplicationRole::Replica { synced: true, down_for: None };
        let mut state = (**replica.state()).clone();
        state.record_answer(Some(ReplicationInfo::reported(role, "id", "")), time, &progress);
        replica.set_state(&state);
        assert_eq!(replica.state().replicated_up_to(), time);
    }

    #[tokio::test]
    async fn an_answer_is_compared_if_its_node_has_what_the_inspection_saw_at_the_master() {
        let (redis, [changed, seen]) = (Node::settings_for_tests(), [10, 20].map(LogicalTime::from_ms));
        let addresses = [1, 2].map(|port| Address { host: "127.0.0.1".to_owned(), port });
        let shard = Arc::new(Shard::new("a", &redis, &NodeContext::default(), &ChangeSignal::default()));
        shard.set_nodes(&addresses, &redis);
        let routing = Routing::Ring(Ring::new([("a", Weight::ONE)]));
        let map = MapHandle::new(ShardMap::new(routing, vec![Arc::clone(&shard)]));
        let key = Key::new(Cow::Borrowed("k")).expect("a key");
        let value = Arc::new(MasterValue::missing(&map, &key.within(None), seen));
        let hash = value.route.hash;
        let sampler = Sampler::new(InspectionConfig { one_in: 1, per_second: 1 });
        sampler.watches.watch(value, Instant::now(), true);

        let requirement = ReadRequirement {
            hash,
            since: changed,
            strict: false,
            master_only: false,
            watch: sampler.watches.number(hash),
        };
        let members = shard.members();
        let [master, replica] = members.nodes() else { panic!("two nodes") };
        assert!(sampler.covers(&requirement, &shard, master));
        // Another client may have changed the key after the own change, and changed it back before the inspection looked.
        replicate(replica, changed);
        assert!(!sampler.covers(&requirement, &shard, replica));
        replicate(replica, seen);
        assert!(sampler.covers(&requirement, &shard, replica));
    }
}
