//! One place for a multiplexed connection to a node: whether it is there, and calls over it.

use super::tracking::Tracking;
use crate::{store::error::NodeError, types::Deadline};
use redis::{RedisResult, aio::MultiplexedConnection};
use std::{
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::{
    sync::{Notify, watch},
    time::{Instant, timeout_at},
};

/// A node that has answered nothing for so many attempts' time, though it was asked, hangs.
const SILENT_ATTEMPTS_MAX: u32 = 3;

/// How long a call may wait.
#[derive(Clone, Copy)]
pub struct CallTimeout {
    pub deadline: Deadline,
    pub abandon: Abandon,
}

/// When a call is given up before its deadline.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Abandon {
    /// When the node has answered nobody for one attempt's time: there is another one to ask.
    WhenUnresponsive,
    /// When it hangs: there may be another one to ask by then.
    WhenHung,
    /// Never: its answer says whether a change was made.
    AtDeadline,
}

/// A connection that is open, as far as is known.
pub struct OpenConnection {
    connection: MultiplexedConnection,
    opened: Instant,
    /// When the last answer came, to whomever, or the first question after all had been answered, in milliseconds
    /// since `opened`.
    last_alive_ms: AtomicU64,
    /// Questions that wait for their answers.
    pending_calls: AtomicUsize,
    /// From then on it may be given up.
    in_use: AtomicBool,
    attempt: Duration,
    /// Told when the connection was lost or should be given up.
    ended: Arc<Notify>,
    /// Where the node tells of changes.
    tracking: Option<Arc<Tracking>>,
}

impl OpenConnection {
    pub fn new(connection: MultiplexedConnection, attempt: Duration, ended: Arc<Notify>) -> Self {
        Self {
            connection,
            opened: Instant::now(),
            last_alive_ms: AtomicU64::new(0),
            pending_calls: AtomicUsize::new(0),
            in_use: AtomicBool::new(false),
            attempt,
            ended,
            tracking: None,
        }
    }

    /// The node tells of changes.
    #[must_use]
    pub fn with_tracking(self, tracking: Option<Arc<Tracking>>) -> Self {
        Self { tracking, ..self }
    }

    pub fn tracking(&self) -> Option<&Arc<Tracking>> {
        self.tracking.as_ref()
    }

    /// Returns when the connection has ended.
    pub async fn ended(&self) {
        self.ended.notified().await;
    }

    /// How long it has been open.
    pub fn age(&self) -> Duration {
        self.opened.elapsed()
    }

    /// True if the node stopped answering, rather than the connection breaking.
    pub fn is_hung(&self) -> bool {
        self.silence() >= self.hung_after()
    }

    /// How long a node may answer nothing before it is said to hang.
    pub fn hung_after(&self) -> Duration {
        self.attempt * SILENT_ATTEMPTS_MAX
    }

    pub fn mark_in_use(&self) {
        self.in_use.store(true, Relaxed);
    }

    /// For how long nothing has been answered though something was asked.
    fn silence(&self) -> Duration {
        self.age().saturating_sub(Duration::from_millis(self.last_alive_ms.load(Relaxed)))
    }

    fn mark_alive(&self) {
        self.last_alive_ms.store(u64::try_from(self.age().as_millis()).unwrap_or(u64::MAX), Relaxed);
    }

    fn begin_call(&self) -> PendingCall<'_> {
        if self.pending_calls.fetch_add(1, Relaxed) == 0 {
            self.mark_alive();
        }
        PendingCall(self)
    }

    /// Asks over the connection and waits for the answer.
    ///
    /// A node that answers others is not given up before the deadline: it has much to do, or to send.
    pub async fn call<T, F>(
        &self,
        patience: CallTimeout,
        ask: impl FnOnce(MultiplexedConnection) -> F,
    ) -> Result<T, NodeError>
    where
        F: Future<Output = RedisResult<T>>,
    {
        let _waiting = self.begin_call();
        let mut answer = pin!(ask(self.connection.clone()));
        loop {
            let until = patience.deadline.attempt(self.attempt).instant();
            if let Ok(answer) = timeout_at(until, &mut answer).await {
                self.mark_alive();
                return answer.map_err(NodeError::from);
            }
            let given_up = self.is_hung() && self.in_use.load(Relaxed);
            if given_up {
                self.ended.notify_one();
            }
            let silent = self.silence() >= self.attempt;
            if silent && let Some(tracking) = &self.tracking {
                // Nor would it be heard of changes.
                tracking.invalidate_all();
            }
            let enough = match patience.abandon {
                Abandon::WhenUnresponsive => silent,
                Abandon::WhenHung => given_up,
                Abandon::AtDeadline => false,
            };
            if enough || patience.deadline.has_passed() {
                return Err(NodeError::TimedOut);
            }
        }
    }
}

/// Counts a question as waiting until it is dropped.
struct PendingCall<'a>(&'a OpenConnection);

impl Drop for PendingCall<'_> {
    fn drop(&mut self) {
        self.0.pending_calls.fetch_sub(1, Relaxed);
    }
}

#[derive(Clone, Default)]
pub enum ConnectionState {
    /// The first attempt, or the first after a connection was lost, is under way: it is worth waiting for.
    #[default]
    Connecting,
    Up(Arc<OpenConnection>),
    /// The last attempt failed, or the node hangs.
    Down,
}

/// A place for one connection.
#[derive(Default)]
pub struct ConnectionSlot(watch::Sender<ConnectionState>);

impl ConnectionSlot {
    pub fn is_up(&self) -> bool {
        matches!(*self.0.borrow(), ConnectionState::Up(_))
    }

    pub fn is_connecting(&self) -> bool {
        matches!(*self.0.borrow(), ConnectionState::Connecting)
    }

    pub fn open_connection(&self) -> Result<Arc<OpenConnection>, NodeError> {
        match &*self.0.borrow() {
            ConnectionState::Up(session) => Ok(Arc::clone(session)),
            ConnectionState::Connecting | ConnectionState::Down => Err(NodeError::NotConnected),
        }
    }

    pub fn set_state(&self, phase: ConnectionState) {
        self.0.send_replace(phase);
    }
}
