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
pub struct Patience {
    pub deadline: Deadline,
    pub give_up: GiveUp,
}

/// When a call is given up before its deadline.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum GiveUp {
    /// When the node has answered nobody for one attempt's time: there is another one to ask.
    Silent,
    /// When it hangs: there may be another one to ask by then.
    Hanging,
    /// Never: its answer says whether a change was made.
    AtDeadline,
}

/// A connection that is open, as far as is known.
pub struct Session {
    connection: MultiplexedConnection,
    opened: Instant,
    /// When the last answer came, to whomever, or the first question after all had been answered, in milliseconds
    /// since `opened`.
    last_life_ms: AtomicU64,
    /// Questions that wait for their answers.
    waiting: AtomicUsize,
    /// From then on it may be given up.
    in_use: AtomicBool,
    attempt: Duration,
    /// Told when the connection was lost or should be given up.
    ended: Arc<Notify>,
    /// Where the node tells of changes.
    tracking: Option<Arc<Tracking>>,
}

impl Session {
    pub fn new(connection: MultiplexedConnection, attempt: Duration, ended: Arc<Notify>) -> Self {
        Self {
            connection,
            opened: Instant::now(),
            last_life_ms: AtomicU64::new(0),
            waiting: AtomicUsize::new(0),
            in_use: AtomicBool::new(false),
            attempt,
            ended,
            tracking: None,
        }
    }

    /// The node tells of changes.
    #[must_use]
    pub fn tracking_to(self, tracking: Option<Arc<Tracking>>) -> Self {
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
    pub fn hangs(&self) -> bool {
        self.silence() >= self.hang_time()
    }

    /// How long a node may answer nothing before it is said to hang.
    pub fn hang_time(&self) -> Duration {
        self.attempt * SILENT_ATTEMPTS_MAX
    }

    pub fn take_into_use(&self) {
        self.in_use.store(true, Relaxed);
    }

    /// For how long nothing has been answered though something was asked.
    fn silence(&self) -> Duration {
        self.age().saturating_sub(Duration::from_millis(self.last_life_ms.load(Relaxed)))
    }

    fn note_life(&self) {
        self.last_life_ms.store(u64::try_from(self.age().as_millis()).unwrap_or(u64::MAX), Relaxed);
    }

    fn start_waiting(&self) -> Waiting<'_> {
        if self.waiting.fetch_add(1, Relaxed) == 0 {
            self.note_life();
        }
        Waiting(self)
    }

    /// Asks over the connection and waits for the answer.
    ///
    /// A node that answers others is not given up before the deadline: it has much to do, or to send.
    pub async fn ask<T, F>(
        &self,
        patience: Patience,
        ask: impl FnOnce(MultiplexedConnection) -> F,
    ) -> Result<T, NodeError>
    where
        F: Future<Output = RedisResult<T>>,
    {
        let _waiting = self.start_waiting();
        let mut answer = pin!(ask(self.connection.clone()));
        loop {
            let until = patience.deadline.attempt(self.attempt).instant();
            if let Ok(answer) = timeout_at(until, &mut answer).await {
                self.note_life();
                return answer.map_err(NodeError::from);
            }
            let given_up = self.hangs() && self.in_use.load(Relaxed);
            if given_up {
                self.ended.notify_one();
            }
            let silent = self.silence() >= self.attempt;
            if silent && let Some(tracking) = &self.tracking {
                // Nor would it be heard of changes.
                tracking.end();
            }
            let enough = match patience.give_up {
                GiveUp::Silent => silent,
                GiveUp::Hanging => given_up,
                GiveUp::AtDeadline => false,
            };
            if enough || patience.deadline.has_passed() {
                return Err(NodeError::TimedOut);
            }
        }
    }
}

/// Counts a question as waiting until it is dropped.
struct Waiting<'a>(&'a Session);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Relaxed);
    }
}

#[derive(Clone, Default)]
pub enum Phase {
    /// The first attempt, or the first after a connection was lost, is under way: it is worth waiting for.
    #[default]
    Connecting,
    Up(Arc<Session>),
    /// The last attempt failed, or the node hangs.
    Down,
}

/// A place for one connection.
#[derive(Default)]
pub struct Link(watch::Sender<Phase>);

impl Link {
    pub fn is_up(&self) -> bool {
        matches!(*self.0.borrow(), Phase::Up(_))
    }

    pub fn is_connecting(&self) -> bool {
        matches!(*self.0.borrow(), Phase::Connecting)
    }

    pub fn session(&self) -> Result<Arc<Session>, NodeError> {
        match &*self.0.borrow() {
            Phase::Up(session) => Ok(Arc::clone(session)),
            Phase::Connecting | Phase::Down => Err(NodeError::NotConnected),
        }
    }

    pub fn enter(&self, phase: Phase) {
        self.0.send_replace(phase);
    }
}
