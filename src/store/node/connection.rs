//! An open connection to a node, and calls over it.

use super::{replication::NodeProcess, tracking::Tracking};
use crate::{store::error::NodeError, types::Deadline};
use redis::{Cmd, Pipeline, RedisResult, Value, aio::ConnectionLike, aio::MultiplexedConnection};
use std::{
    pin::pin,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::{
    sync::{Notify, RwLock},
    time::{Instant, timeout_at},
};

/// The number of attempts in whose time a node that was asked must answer something. Otherwise it hangs.
const SILENT_ATTEMPTS_MAX: u32 = 3;

/// The time that a call may take.
#[derive(Clone, Copy)]
pub struct CallTimeout {
    /// The call fails at this time.
    pub deadline: Deadline,
    /// The condition under which the call fails earlier.
    pub abandon: Abandon,
    /// A time after which the call wakes its task without an answer, so that the task can ask another node as well.
    pub wakes_after: Option<Duration>,
}

impl CallTimeout {
    /// Waits for the answer until the deadline, or until a condition is met.
    pub fn new(deadline: Deadline, abandon: Abandon) -> Self {
        Self { deadline, abandon, wakes_after: None }
    }

    /// Waits for the answer until the deadline, whatever the node does.
    pub fn until(deadline: Deadline) -> Self {
        Self::new(deadline, Abandon::AtDeadline)
    }

    /// Wakes the task of the call after some time without an answer.
    #[must_use]
    pub fn waking_after(self, time: Duration) -> Self {
        Self { wakes_after: Some(time), ..self }
    }
}

/// The condition under which a call is abandoned before its deadline.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Abandon {
    /// The node has answered no call for the time of one attempt. Another node can be asked.
    WhenUnresponsive,
    /// The node hangs. Another node may have become available by then.
    WhenHung,
    /// None: only the answer tells if a change was made.
    AtDeadline,
}

/// A connection that is open, as far as is known. Many calls share it.
pub struct OpenConnection {
    connection: MultiplexedConnection,
    opened: Instant,
    /// The time of the last sign of life, in milliseconds since `opened`: an answer, or the first call after all others
    /// had been answered.
    last_alive_ms: AtomicU64,
    /// The number of calls that wait for their answers.
    pending_calls: AtomicUsize,
    /// Requests use the connection, so that it is closed if the node hangs.
    in_use: AtomicBool,
    /// True if the connection is in the mode `READONLY` of a Redis Cluster. A call that depends on the mode holds the lock
    /// shared until it is answered, and a switch of the mode holds it alone.
    read_only: RwLock<bool>,
    /// The time that one attempt may take.
    attempt_timeout: Duration,
    /// Notified when the connection is lost, or is to be closed.
    ended: Arc<Notify>,
    /// The state of key tracking; `None` where the node reports no changes.
    tracking: Option<Arc<Tracking>>,
    /// The facts about the node's process, once the node was asked for them.
    process: OnceLock<NodeProcess>,
}

impl OpenConnection {
    /// Wraps a connection that was just opened; `ended` is notified when it is lost.
    pub fn new(connection: MultiplexedConnection, attempt_timeout: Duration, ended: Arc<Notify>) -> Self {
        Self {
            connection,
            opened: Instant::now(),
            last_alive_ms: AtomicU64::new(0),
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
        self.opened.elapsed()
    }

    /// Returns true if the node has stopped answering without closing the connection.
    pub fn is_hung(&self) -> bool {
        self.silence() >= self.hung_after()
    }

    /// Returns the time without an answer after which a node counts as hung.
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

    /// Sends one command and waits for its answer.
    pub async fn call(&self, command: &Cmd, timeout: CallTimeout) -> Result<Value, NodeError> {
        self.call_with(timeout, |mut connection| async move { connection.req_packed_command(command).await }).await
    }

    /// Sends several commands at once and returns an answer for each, which may be a server error.
    pub async fn call_all(&self, commands: &Pipeline, timeout: CallTimeout) -> Result<Vec<Value>, NodeError> {
        let count = commands.len();
        let answers =
            self.call_with(timeout, |mut connection| async move {
                connection.req_packed_commands(commands, 0, count).await
            })
            .await?;
        if answers.len() == count { Ok(answers) } else { Err(NodeError::Unexpected) }
    }

    /// Sends with `send` and waits for the answer.
    ///
    /// A node that answers other calls is waited for until the deadline: it has much to do, or to send.
    async fn call_with<T, F>(
        &self,
        timeout: CallTimeout,
        send: impl FnOnce(MultiplexedConnection) -> F,
    ) -> Result<T, NodeError>
    where
        F: Future<Output = RedisResult<T>>,
    {
        let _pending = self.begin_call();
        let mut answer = pin!(send(self.connection.clone()));
        let mut wakes_after = timeout.wakes_after;
        loop {
            // One timer serves both, because setting a timer is not free.
            let early = wakes_after.take().filter(|early| *early < self.attempt_timeout);
            let attempt_end = timeout.deadline.attempt(early.unwrap_or(self.attempt_timeout)).instant();
            if let Ok(answer) = timeout_at(attempt_end, &mut answer).await {
                self.mark_alive();
                return answer.map_err(NodeError::from);
            }
            if early.is_some() {
                continue;
            }
            if let Some(error) = self.on_attempt_timeout(timeout.abandon) {
                return Err(error);
            }
            if timeout.deadline.has_passed() {
                return Err(NodeError::TimedOut);
            }
        }
    }

    /// Acts on an attempt that brought no answer. Returns an error if the call is to be abandoned.
    fn on_attempt_timeout(&self, abandon: Abandon) -> Option<NodeError> {
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

    /// Returns the time for which calls have been pending without any answer.
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
}

/// Counts a call as pending until it is dropped.
struct PendingCall<'a>(&'a OpenConnection);

impl Drop for PendingCall<'_> {
    fn drop(&mut self) {
        self.0.pending_calls.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
impl OpenConnection {
    /// Returns a connection over a stream whose other end speaks the protocol of Redis, for tests.
    pub async fn over(stream: tokio::io::DuplexStream) -> Arc<Self> {
        let login = redis::RedisConnectionInfo::default().set_skip_set_lib_name();
        let opened = MultiplexedConnection::new_with_config(&login, stream, redis::AsyncConnectionConfig::new()).await;
        let (connection, driver) = opened.expect("a connection");
        tokio::spawn(driver);
        Arc::new(Self::new(connection, Duration::from_secs(1), Arc::new(Notify::new())))
    }
}
