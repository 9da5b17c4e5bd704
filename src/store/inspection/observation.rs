//! The events that requests hand over to the inspection.

use super::{digest::ValueDigest, watch_table::WatchedKey};
use crate::{
    store::node::{Node, tracking::TrackedSource},
    telemetry::metrics::{AnswerSource, Promise},
    types::FullKey,
};
use std::sync::Arc;
use tokio::time::Instant;

/// A sampled event.
pub enum Observation {
    /// A read was answered.
    Answer(ObservedAnswer),
    /// A change was acknowledged.
    Change(AcknowledgedChange),
}

/// The answer to a read.
pub struct ObservedAnswer {
    /// The key.
    pub key: FullKey<'static>,
    /// The digest of the answer.
    pub digest: ValueDigest,
    /// The origin of the answer.
    pub origin: AnswerOrigin,
    /// The read asked for more than the changes of this process.
    pub strict: bool,
    /// The time of the answer.
    pub at: Instant,
}

/// The origin of an answer.
pub enum AnswerOrigin {
    /// A node answered.
    Node(Arc<Node>),
    /// The near cache answered.
    NearCache {
        /// The connection that the value was read over.
        source: TrackedSource,
        /// Tells if the near cache still has the value.
        is_kept: IsKept,
    },
}

/// A function that returns true while the near cache would still answer with the same value.
pub type IsKept = Box<dyn Fn() -> bool + Send + Sync>;

/// A change that was acknowledged by this process.
pub struct AcknowledgedChange {
    /// The key.
    pub key: FullKey<'static>,
    /// The digest of the new value.
    pub digest: ValueDigest,
    /// The time of the acknowledgement.
    pub at: Instant,
}

/// An answer that differs from a value that it had to show, unless the value has changed since.
pub struct Suspicion {
    /// The key with the value that the answer had to show.
    pub watched: Arc<WatchedKey>,
    /// The promise that may be broken.
    pub promise: Promise,
    /// The kind of the answer's origin.
    pub source: AnswerSource,
    /// The node that answered; `None` for the near cache.
    pub node: Option<Arc<Node>>,
    /// The time of the answer.
    pub at: Instant,
}
