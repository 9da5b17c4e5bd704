//! The polite end of a connection that has reached its maximum age.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// The retirement of one connection.
///
/// A client without requests is not told that its connection has retired; it could send one at the same moment.
#[derive(Default)]
pub struct Retirement {
    /// The connection has reached its maximum age: its next response says that it ends.
    begun: AtomicBool,
    /// An HTTP/2 connection has retired and got another request: its task ends it with GOAWAY.
    going_away: AtomicBool,
}

impl Retirement {
    /// Records that the connection has reached its maximum age.
    pub fn begin(&self) {
        self.begun.store(true, Relaxed);
    }

    /// Returns true once the connection has reached its maximum age.
    pub fn has_begun(&self) -> bool {
        self.begun.load(Relaxed)
    }

    /// Makes the task of an HTTP/2 connection end it with GOAWAY. To be called within a poll of the task.
    pub fn go_away(&self) {
        self.going_away.store(true, Relaxed);
    }

    /// Returns true once [`Self::go_away`] was called.
    pub fn is_going_away(&self) -> bool {
        self.going_away.load(Relaxed)
    }
}
