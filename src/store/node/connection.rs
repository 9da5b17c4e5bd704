//! An open connection to a node.

use super::{
    call_timeout::Abandon, connection_class::ConnectionNumber, replication::NodeProcess, tracking::Tracking,
    wire::Multiplexer,
};
use crate::store::error::NodeError;
use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::sync::{Notify, RwLock};

/// The number of attempts in whose time a node that was asked must send something. Otherwise it hangs.
const SILENT_ATTEMPTS_MAX: u32 = 3;

/// A connection that is open, as far as is known. Many calls share it.
pub struct OpenConnection {
    pub(super) connection: Multiplexer,
    /// The number of the connection in its pool.
    number: ConnectionNumber,
    /// The number of calls that wait for their answers.
    pending_calls: AtomicUsize,
    /// Requests use the connection, so that it is closed if the node hangs.
    in_use: AtomicBool,
    /// True if the connection is in the mode `READONLY` of a Redis Cluster. A call that depends on the mode holds the lock
    /// shared until it is answered, and a switch of the mode holds it alone.
    read_only: RwLock<bool>,
    /// The time that one attempt may take.
    pub(super) attempt_timeout: Duration,
    /// Notified when the connection is lost, or is to be closed.
    ended: Arc<Notify>,
    /// The state of key tracking; `None` where the node reports no changes.
    tracking: Option<Arc<Tracking>>,
    /// The facts about the node's process, once the node was asked for them.
    process: OnceLock<NodeProcess>,
}

impl OpenConnection {
    /// Wraps a connection that was just opened; `ended` is notified when it is lost.
    pub fn new(connection: Multiplexer, attempt_timeout: Duration, ended: Arc<Notify>) -> Self {
        Self {
            connection,
            number: 0,
            pending_calls: AtomicUsize::new(0),
            in_use: AtomicBool::new(false),
            read_only: RwLock::new(false),
            attempt_timeout,
            ended,
            tracking: None,
            process: OnceLock::new(),
        }
    }

    /// Sets the state of key tracking.
    #[must_use]
    pub fn with_tracking(self, tracking: Option<Arc<Tracking>>) -> Self {
        Self { tracking, ..self }
    }

    /// Sets the number of the connection in its pool.
    #[must_use]
    pub fn with_number(self, number: ConnectionNumber) -> Self {
        Self { number, ..self }
    }

    /// Returns the number of the connection in its pool.
    pub fn number(&self) -> ConnectionNumber {
        self.number
    }

    /// Returns the state of key tracking; `None` where the node reports no changes.
    pub fn tracking(&self) -> Option<&Arc<Tracking>> {
        self.tracking.as_ref()
    }

    /// Returns the number of times that the node reported over this connection that it dropped all its data.
    pub fn flushes(&self) -> u64 {
        self.tracking.as_ref().map_or(0, |tracking| tracking.flushes())
    }

    /// Returns the facts about the node's process, once the node was asked for them. A connection never leads to another
    /// process.
    pub fn process(&self) -> Option<&NodeProcess> {
        self.process.get()
    }

    /// Records the facts about the node's process.
    pub fn record_process(&self, process: NodeProcess) {
        self.process.get_or_init(|| process);
    }

    /// Makes everything outdated that was read over the connection.
    pub fn invalidate_all(&self) {
        if let Some(tracking) = &self.tracking {
            tracking.invalidate_all();
        }
    }

    /// Ends the connection. Calls that are under way still get their answers.
    pub fn end(&self) {
        self.ended.notify_one();
    }

    /// Waits until the connection has ended.
    pub async fn ended(&self) {
        self.ended.notified().await;
    }

    /// Returns the time for which the connection has been open.
    pub fn age(&self) -> Duration {
        self.connection.life_signs().age()
    }

    /// Returns true if the node sends nothing any more, without having closed the connection.
    pub fn is_hung(&self) -> bool {
        self.silence() >= self.hung_after()
    }

    /// Returns the time without a sign of life after which a node counts as hung.
    pub fn hung_after(&self) -> Duration {
        self.attempt_timeout * SILENT_ATTEMPTS_MAX
    }

    /// Marks the connection as used by requests: from now on it ends when the node hangs.
    pub fn mark_in_use(&self) {
        self.in_use.store(true, Relaxed);
    }

    /// Returns the mode of a connection to a node of a Redis Cluster: true for `READONLY`. A call that depends on the mode
    /// has to hold the lock until it is answered.
    pub fn read_only(&self) -> &RwLock<bool> {
        &self.read_only
    }

    /// Acts on an attempt that brought no answer. Returns an error if the call is to be abandoned.
    pub(super) fn on_attempt_timeout(&self, abandon: Abandon) -> Option<NodeError> {
        let is_ended = self.is_hung() && self.in_use.load(Relaxed);
        if is_ended {
            self.ended.notify_one();
        }
        let is_unresponsive = self.silence() >= self.attempt_timeout;
        if is_unresponsive {
            // Changes of keys would not be reported, either.
            self.invalidate_all();
        }
        match abandon {
            Abandon::WhenUnresponsive | Abandon::WhenHung if is_ended => Some(NodeError::Hung),
            Abandon::WhenUnresponsive => is_unresponsive.then_some(NodeError::TimedOut),
            Abandon::WhenHung | Abandon::AtDeadline => None,
        }
    }

    /// Returns the time for which calls have been pending without a sign of life of the node.
    fn silence(&self) -> Duration {
        self.connection.life_signs().silence()
    }

    /// Counts a call as pending until the returned guard is dropped.
    pub(super) fn begin_call(&self) -> PendingCall<'_> {
        if self.pending_calls.fetch_add(1, Relaxed) == 0 {
            self.connection.life_signs().record();
        }
        PendingCall(self)
    }
}

/// Counts a call as pending until it is dropped.
pub(super) struct PendingCall<'a>(&'a OpenConnection);

impl Drop for PendingCall<'_> {
    fn drop(&mut self) {
        self.0.pending_calls.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
impl OpenConnection {
    /// Returns a connection over a stream whose other end speaks the protocol of Redis, for tests.
    pub fn over(stream: tokio::io::DuplexStream) -> Arc<Self> {
        let connection = Multiplexer::start(super::wire::NodeStream::Simulated(Box::new(stream)), |_| {});
        Arc::new(Self::new(connection, Duration::from_secs(1), Arc::new(Notify::new())))
    }
}
