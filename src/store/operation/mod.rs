//! Reading and changing: one file for each way an operation goes.

pub mod batch;
pub mod get;
mod inspect;
mod redirect;
mod redirect_request;
pub mod write;

pub use inspect::{InspectedKey, KeySample};
pub use redirect::{RedirectedOperation, Rejection};

use crate::store::{consistency::RecentChanges, node::tracking::TrackedSource};
use std::time::Duration;

/// What the values of one batch may have together, in bytes.
pub const REPLY_BYTES_MAX: usize = 64 * 1024 * 1024;

/// What a read found that may be kept.
pub struct TrackedValue {
    pub bytes: Option<Vec<u8>>,
    /// `None` where nobody would say that it changes.
    pub origin: Option<TrackedOrigin>,
}

/// Where an answer came from, and what ends it.
pub struct TrackedOrigin {
    pub source: TrackedSource,
    /// How long the key had yet to live when it was asked for; [`Duration::MAX`] for ever.
    pub left: Duration,
}

/// Notes a change when it is over, however it ended, also if its caller went away.
pub struct ChangeGuard<'a> {
    pub changes: &'a RecentChanges,
    pub hash: u64,
}

impl Drop for ChangeGuard<'_> {
    fn drop(&mut self) {
        self.changes.record(self.hash);
    }
}
