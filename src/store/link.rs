//! One place for a multiplexed connection to a node: whether it is there, and calls over it.

use super::error::NodeError;
use crate::types::Deadline;
use redis::{RedisResult, aio::MultiplexedConnection};
use std::{
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::{
    sync::{Notify, watch},
    time::{Instant, timeout_at},
};

/// A node that has answered nothing for so many attempts' time hangs. It is asked at least once in each, by probes.
const SILENT_ATTEMPTS_MAX: u32 = 3;

/// How long a call may wait.
#[derive(Clone, Copy)]
pub struct Patience {
    pub deadline: Deadline,
    /// Give up when the node has answered nobody for one attempt's time, for there is another one to ask.
    pub may_go_elsewhere: bool,
}

/// A connection that is open, as far as is known.
pub struct Session {
    connection: MultiplexedConnection,
    opened: Instant,
    /// When the last answer came, to whomever, in milliseconds since `opened`.
    last_answer_ms: AtomicU64,
    attempt: Duration,
    /// Told when the connection was lost or should be given up.
    ended: Arc<Notify>,
}

impl Session {
    pub fn new(connection: MultiplexedConnection, attempt: Duration, ended: Arc<Notify>) -> Self {
        Self { connection, opened: Instant::now(), last_answer_ms: AtomicU64::new(0), attempt, ended }
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
        self.silence() >= self.attempt * SILENT_ATTEMPTS_MAX
    }

    /// For how long nothing has been answered.
    fn silence(&self) -> Duration {
        self.age().saturating_sub(Duration::from_millis(self.last_answer_ms.load(Relaxed)))
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
        let mut answer = pin!(ask(self.connection.clone()));
        loop {
            let until = patience.deadline.attempt(self.attempt).instant();
            if let Ok(answer) = timeout_at(until, &mut answer).await {
                let age_ms = u64::try_from(self.age().as_millis()).unwrap_or(u64::MAX);
                self.last_answer_ms.store(age_ms, Relaxed);
                return answer.map_err(NodeError::from);
            }
            if self.hangs() {
                self.ended.notify_one();
            }
            let silent = self.silence() >= self.attempt;
            if patience.deadline.has_passed() || (patience.may_go_elsewhere && silent) {
                return Err(NodeError::TimedOut);
            }
        }
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
