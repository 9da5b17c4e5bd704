//! Connections for changes that wait until replicas have them. `WAIT` counts the replicas that have what was written
//! over its own connection, and it delays everything behind it, so each such change has a connection to itself.

use crate::{
    store::{
        error::NodeError,
        node::{connect::RedisEndpoint, login::Login, replication::NodeProcess},
    },
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

/// Maximum number of connections to one node; further changes wait for one of them within their deadline.
const CONNECTIONS_MAX: usize = 32;
/// Idle time after which a connection is closed.
const IDLE_MAX: Duration = Duration::from_secs(30);
/// Time between the end of `WAIT` and the deadline. Redis checks ten times a second if a `WAIT` is over.
const MARGIN: Duration = Duration::from_millis(120);

/// The connections to one node.
pub struct WaitConnections {
    permits: Semaphore,
    idle: Mutex<Vec<IdleConnection>>,
}

struct IdleConnection {
    connection: MultiplexedConnection,
    idle_since: Instant,
    /// Notified when the connection is lost.
    lost: Arc<Notify>,
    /// The login that was current when the connection was opened.
    login: Arc<Login>,
    /// The number of connections in the node's pool that had been opened by then. When the pool has reconnected, this
    /// connection is not used any more, either.
    pool_opened: u64,
}

impl Default for WaitConnections {
    fn default() -> Self {
        Self { permits: Semaphore::new(CONNECTIONS_MAX), idle: Mutex::default() }
    }
}

impl WaitConnections {
    /// Waits until one more change may use a connection, for half of the time that is left.
    pub async fn acquire(&self, deadline: Deadline) -> Result<SemaphorePermit<'_>, NodeError> {
        let half = deadline.instant().saturating_duration_since(Instant::now()) / 2;
        match timeout(half, self.permits.acquire()).await {
            Ok(Ok(permit)) => Ok(permit),
            _ => Err(NodeError::Busy),
        }
    }

    /// Closes the connections that have been idle for long.
    pub fn close_idle(&self, pool_opened: u64) {
        drop(self.retain_usable(pool_opened));
    }

    /// Sends `commands` and waits until `replicas` have what they changed, or the deadline is near. Returns the
    /// answers, and the one to `WAIT`: the number of replicas that have the changes. A new connection is used only if `is_accepted` returns
    /// true for the process (`run_id`) that it leads to.
    pub async fn call_all(
        &self,
        (endpoint, pool_opened): (&RedisEndpoint, u64),
        is_accepted: impl Fn(&str) -> bool,
        commands: &Pipeline,
        replicas: u32,
        deadline: Deadline,
    ) -> Result<(Vec<Value>, Value), NodeError> {
        let mut used = match self.take_idle(endpoint, pool_opened) {
            Some(idle) => idle,
            None => timeout_at(deadline.instant(), open(endpoint, pool_opened, is_accepted))
                .await
                .map_err(|_| NodeError::NotConnected)??,
        };
        let time_left = deadline.instant().saturating_duration_since(Instant::now());
        // A wait of 0 ms would never end.
        let wait_ms = time_left.saturating_sub(MARGIN.min(time_left / 2)).as_millis().max(1);
        let mut with_wait = commands.clone();
        with_wait.cmd("WAIT").arg(replicas).arg(u64::try_from(wait_ms).unwrap_or(u64::MAX));
        let answers = used.connection.req_packed_commands(&with_wait, 0, commands.len() + 1);
        // A connection is dropped if its answer did not come: the next change would receive it.
        let mut answers = timeout_at(deadline.instant(), answers).await.map_err(|_| NodeError::TimedOut)??;
        let replicated = answers.pop().ok_or(NodeError::Unexpected)?;
        if answers.len() != commands.len() {
            return Err(NodeError::Unexpected);
        }
        used.idle_since = Instant::now();
        self.lock_idle().push(used);
        Ok((answers, replicated))
    }

    fn take_idle(&self, endpoint: &RedisEndpoint, pool_opened: u64) -> Option<IdleConnection> {
        let mut idle = self.retain_usable(pool_opened);
        idle.retain(|idle| endpoint.login().is_current(&idle.login));
        idle.pop()
    }

    /// Drops the idle connections that must not be used any more, and returns the others.
    fn retain_usable(&self, pool_opened: u64) -> MutexGuard<'_, Vec<IdleConnection>> {
        let mut idle = self.lock_idle();
        idle.retain(|idle| {
            let is_current = idle.idle_since.elapsed() < IDLE_MAX && idle.pool_opened == pool_opened;
            is_current && idle.lost.notified().now_or_never().is_none()
        });
        idle
    }

    fn lock_idle(&self) -> MutexGuard<'_, Vec<IdleConnection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Opens a connection. It may lead to another process than those of the pool, whose end is not noticed yet: a node that
/// was restarted a moment ago may lack data.
async fn open(
    endpoint: &RedisEndpoint,
    pool_opened: u64,
    is_accepted: impl Fn(&str) -> bool,
) -> Result<IdleConnection, NodeError> {
    let (lost, login) = (Arc::new(Notify::new()), endpoint.login().current());
    let mut connection = endpoint.connect(&lost).await.map_err(|_| NodeError::NotConnected)?;
    let mut question = redis::cmd("INFO");
    question.arg("server");
    let answer = match connection.req_packed_command(&question).await {
        Ok(answer) => answer,
        Err(error) if error.code().is_none() => return Err(NodeError::NotConnected),
        // A refusal tells no process.
        Err(_) => Value::Nil,
    };
    if !is_accepted(&NodeProcess::parse(&answer, &Value::Nil).run_id) {
        return Err(NodeError::NotConnected);
    }
    Ok(IdleConnection { connection, idle_since: Instant::now(), lost, login, pool_opened })
}
