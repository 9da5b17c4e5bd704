//! One place for a multiplexed connection to a node: whether it is there, and calls over it.

use super::error::NodeError;
use crate::types::Deadline;
use redis::{RedisResult, aio::MultiplexedConnection};
use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering::Relaxed},
};
use tokio::{
    sync::{Notify, watch},
    time::timeout_at,
};

/// So many calls in a row without an answer end a connection: the node hangs, and only a fresh connection tells
/// when it is back.
const TIMEOUTS_MAX: u32 = 3;

/// A connection that is open, as far as is known.
pub struct Session {
    connection: MultiplexedConnection,
    timeouts_in_a_row: AtomicU32,
    /// Told when the connection was lost or should be given up.
    ended: Arc<Notify>,
}

impl Session {
    pub fn new(connection: MultiplexedConnection, ended: Arc<Notify>) -> Self {
        Self { connection, timeouts_in_a_row: AtomicU32::new(0), ended }
    }

    /// Returns when the connection has ended.
    pub async fn ended(&self) {
        self.ended.notified().await;
    }

    /// True if the node stopped answering, rather than the connection breaking.
    pub fn hangs(&self) -> bool {
        self.timeouts_in_a_row.load(Relaxed) >= TIMEOUTS_MAX
    }

    /// Asks over the connection and waits for the answer until `deadline`.
    pub async fn ask<T, F>(
        &self,
        deadline: Deadline,
        ask: impl FnOnce(MultiplexedConnection) -> F,
    ) -> Result<T, NodeError>
    where
        F: Future<Output = RedisResult<T>>,
    {
        if let Ok(answer) = timeout_at(deadline.instant(), ask(self.connection.clone())).await {
            if self.timeouts_in_a_row.load(Relaxed) != 0 {
                self.timeouts_in_a_row.store(0, Relaxed);
            }
            return answer.map_err(NodeError::from);
        }
        if self.timeouts_in_a_row.fetch_add(1, Relaxed) + 1 >= TIMEOUTS_MAX {
            self.ended.notify_one();
        }
        Err(NodeError::TimedOut)
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
