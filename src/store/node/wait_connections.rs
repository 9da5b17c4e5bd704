//! Changes that wait until replicas have them, each on a connection of its own: `WAIT` counts what was written over
//! the connection that it comes on, and holds up everything behind it.

use crate::{
    store::{error::NodeError, node::connect::RedisEndpoint},
    types::Deadline,
};
use futures_util::FutureExt;
use redis::{
    Pipeline, Value,
    aio::{ConnectionLike, MultiplexedConnection},
};
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{
    sync::{Notify, Semaphore, SemaphorePermit},
    time::{Instant, timeout, timeout_at},
};

/// Connections to one node that wait at once; further changes queue for one within their deadline.
const CONNECTIONS_MAX: usize = 32;
/// A connection that was not used for so long is not used again.
const IDLE_MAX: Duration = Duration::from_secs(30);
/// What is left of the deadline when the wait ends: Redis looks for waits that are over ten times a second.
const MARGIN: Duration = Duration::from_millis(120);

/// The connections to one node.
pub struct WaitConnections {
    places: Semaphore,
    idle: Mutex<Vec<IdleConnection>>,
}

struct IdleConnection {
    connection: MultiplexedConnection,
    since: Instant,
    /// Told when the connection is lost.
    lost: Arc<Notify>,
    /// The count of the node's other connections when it was opened: when they were opened anew, so is this.
    connections: u64,
}

impl Default for WaitConnections {
    fn default() -> Self {
        Self { places: Semaphore::new(CONNECTIONS_MAX), idle: Mutex::default() }
    }
}

impl WaitConnections {
    /// Waits, for half of the time that there is, until one more change may wait.
    pub async fn acquire(&self, deadline: Deadline) -> Result<SemaphorePermit<'_>, NodeError> {
        let half = deadline.instant().saturating_duration_since(Instant::now()) / 2;
        match timeout(half, self.places.acquire()).await {
            Ok(Ok(turn)) => Ok(turn),
            _ => Err(NodeError::Busy),
        }
    }

    /// Closes connections that nobody has used for long.
    pub fn close_idle(&self, connections: u64) {
        drop(self.retain_usable(connections));
    }

    /// Sends `commands` and waits until `replicas` have what they changed, or the deadline is near. Returns the
    /// answers, and how many replicas had it.
    pub async fn call_all(
        &self,
        (target, connections): (&RedisEndpoint, u64),
        commands: &Pipeline,
        replicas: u32,
        deadline: Deadline,
    ) -> Result<(Vec<Value>, u32), NodeError> {
        let mut used = match self.take_idle(connections) {
            Some(idle) => idle,
            None => timeout_at(deadline.instant(), open(target, connections))
                .await
                .map_err(|_| NodeError::NotConnected)??,
        };
        let left = deadline.instant().saturating_duration_since(Instant::now());
        // 0 would wait for ever.
        let wait_ms = left.saturating_sub(MARGIN.min(left / 2)).as_millis().max(1);
        let mut with_wait = commands.clone();
        with_wait.cmd("WAIT").arg(replicas).arg(u64::try_from(wait_ms).unwrap_or(u64::MAX));
        let count = commands.len() + 1;
        let answer = used.connection.req_packed_commands(&with_wait, 0, count);
        // A connection whose answer did not come is dropped: the next one's must not be taken for it.
        let mut answers = timeout_at(deadline.instant(), answer).await.map_err(|_| NodeError::TimedOut)??;
        let waited = answers.pop().ok_or(NodeError::Unexpected)?;
        if answers.len() != commands.len() {
            return Err(NodeError::Unexpected);
        }
        used.since = Instant::now();
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(used);
        let had = match waited {
            Value::Int(had) => u32::try_from(had).unwrap_or(0),
            // A node that is no master refuses to wait, and refused the changes as well; a user may not be allowed to.
            refusal => {
                tracing::warn!(?refusal, "Redis refuses WAIT, so that nobody knows which replicas have a change");
                0
            }
        };
        Ok((answers, had))
    }

    fn take_idle(&self, connections: u64) -> Option<IdleConnection> {
        self.retain_usable(connections).pop()
    }

    fn retain_usable(&self, connections: u64) -> MutexGuard<'_, Vec<IdleConnection>> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|idle| {
            let fresh = idle.since.elapsed() < IDLE_MAX && idle.connections == connections;
            fresh && idle.lost.notified().now_or_never().is_none()
        });
        idle
    }
}

async fn open(target: &RedisEndpoint, connections: u64) -> Result<IdleConnection, NodeError> {
    let lost = Arc::new(Notify::new());
    let connection = target.connect(&lost).await.map_err(|_| NodeError::NotConnected)?;
    Ok(IdleConnection { connection, since: Instant::now(), lost, connections })
}
