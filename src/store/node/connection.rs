//! An open connection to a node, and calls over it.

use super::{
    client_windows::{ClientWindow, ReadCharge, ReadKeys},
    connection_class::ConnectionNumber,
    in_flight::InFlightLimit,
    replication::NodeProcess,
    tracking::Tracking,
    wire::{CallOptions, Multiplexer, ReplyReceiver},
};
use crate::{store::error::NodeError, types::Deadline};
use redis::{Cmd, Pipeline, Value};
use std::{
    future::poll_fn,
    mem,
    pin::{Pin, pin},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    task::Poll,
    time::Duration,
};
use tokio::{
    sync::{Notify, RwLock},
    time::{Instant, timeout_at},
};

/// The number of attempts in whose time a node that was asked must send something. Otherwise it hangs.
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

    /// Returns true if the call wakes its task before the end of an attempt, which takes this time.
    fn wakes_early(&self, attempt: Duration) -> bool {
        self.wakes_after.is_some_and(|early| early < attempt)
    }
}

/// The condition under which a call is abandoned before its deadline.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Abandon {
    /// The node has sent nothing for the time of one attempt. Another node can be asked.
    WhenUnresponsive,
    /// The node hangs. Another node may have become available by then.
    WhenHung,
    /// None: only the answer tells if a change was made.
    AtDeadline,
}

/// A connection that is open, as far as is known. Many calls share it.
pub struct OpenConnection {
    connection: Multiplexer,
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

    /// Sends one command and waits for its answer.
    pub async fn call(&self, command: &Cmd, timeout: CallTimeout) -> Result<Value, NodeError> {
        let _pending = self.begin_call();
        let timer = self.first_timer(timeout);
        let reply = self.connection.call(command.get_packed_command(), CallOptions::new(None, timer));
        self.answer(reply, timer, timeout).await
    }

    /// Sends one packed command that reads a key, and waits for its answer. It is sent when the client's other reads leave
    /// room.
    pub async fn read(
        &self,
        command: Vec<u8>,
        window: (Arc<ClientWindow>, ReadKeys<'_>),
        in_flight: &InFlightLimit,
        timeout: CallTimeout,
    ) -> Result<Value, NodeError> {
        let _pending = self.begin_call();
        let charge = self.charge(window, timeout).await?;
        let _permit = in_flight.acquire(1)?;
        let timer = self.first_timer(timeout);
        let reply = self.connection.call(command, CallOptions::new(Some(charge), timer));
        self.answer(reply, timer, timeout).await
    }

    /// Sends several commands as [`Self::read`] sends one, and returns an answer for each.
    pub async fn read_all(
        &self,
        commands: &Pipeline,
        window: (Arc<ClientWindow>, ReadKeys<'_>),
        in_flight: &InFlightLimit,
        timeout: CallTimeout,
    ) -> Result<Vec<Value>, NodeError> {
        let _pending = self.begin_call();
        let charge = self.charge(window, timeout).await?;
        let _permit = in_flight.acquire(commands.len())?;
        let timer = self.first_timer(timeout);
        let replies = self.connection.call_all(commands, CallOptions::new(Some(charge), timer));
        self.answer(replies, timer, timeout).await
    }

    /// Sends several commands at once and returns an answer for each, which may be a server error.
    pub async fn call_all(&self, commands: &Pipeline, timeout: CallTimeout) -> Result<Vec<Value>, NodeError> {
        let _pending = self.begin_call();
        let timer = self.first_timer(timeout);
        let replies = self.connection.call_all(commands, CallOptions::new(None, timer));
        self.answer(replies, timer, timeout).await
    }

    /// Charges a client for a read, once its other reads leave room.
    async fn charge(
        &self,
        (window, keys): (Arc<ClientWindow>, ReadKeys<'_>),
        timeout: CallTimeout,
    ) -> Result<ReadCharge, NodeError> {
        if let Some(charge) = window.try_charge(keys) {
            return Ok(charge);
        }
        let charging = pin!(async { Some(window.charge(keys).await) });
        Box::pin(self.wait(charging, timeout, timeout.wakes_after)).await
    }

    /// Returns the first time at which a call that begins now wakes its task.
    fn first_timer(&self, timeout: CallTimeout) -> Instant {
        let time = timeout.wakes_after.map_or(self.attempt_timeout, |early| early.min(self.attempt_timeout));
        timeout.deadline.attempt(time).instant()
    }

    /// Waits for the reply to a call, whose task the connection wakes at the time of its first timer. Most calls need no
    /// other one.
    async fn answer<T>(
        &self,
        mut reply: ReplyReceiver<T>,
        first_timer: Instant,
        timeout: CallTimeout,
    ) -> Result<T, NodeError> {
        let mut is_first_poll = true;
        let in_time = poll_fn(|context| match Pin::new(&mut reply).poll(context) {
            Poll::Ready(reply) => Poll::Ready(Some(reply)),
            Poll::Pending if !mem::take(&mut is_first_poll) && Instant::now() >= first_timer => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        });
        match in_time.await {
            Some(reply) => reply.ok_or(NodeError::Lost),
            None => Box::pin(self.late_answer(reply, timeout)).await,
        }
    }

    /// Waits for a reply that has not arrived by the time of the first timer.
    async fn late_answer<T>(&self, reply: ReplyReceiver<T>, timeout: CallTimeout) -> Result<T, NodeError> {
        if !timeout.wakes_early(self.attempt_timeout)
            && let Some(error) = self.on_attempt_end(timeout)
        {
            return Err(error);
        }
        self.wait(reply, timeout, None).await
    }

    /// Waits for a reply, or for the permission to send a call, with a timer for each attempt. Wakes its task once before.
    /// `None` means that the connection is lost.
    ///
    /// A node that sends something is waited for until the deadline: it has much to do, or to send.
    async fn wait<T>(
        &self,
        mut waiting: impl Future<Output = Option<T>> + Unpin,
        timeout: CallTimeout,
        mut wakes_after: Option<Duration>,
    ) -> Result<T, NodeError> {
        loop {
            let early = wakes_after.take().filter(|early| *early < self.attempt_timeout);
            let timer = timeout.deadline.attempt(early.unwrap_or(self.attempt_timeout)).instant();
            if let Ok(ended) = timeout_at(timer, &mut waiting).await {
                return ended.ok_or(NodeError::Lost);
            }
            if early.is_none()
                && let Some(error) = self.on_attempt_end(timeout)
            {
                return Err(error);
            }
        }
    }

    /// Acts on the end of an attempt that brought no answer. Returns an error if the call is at its end, too.
    fn on_attempt_end(&self, timeout: CallTimeout) -> Option<NodeError> {
        let abandoned = self.on_attempt_timeout(timeout.abandon);
        abandoned.or_else(|| timeout.deadline.has_passed().then_some(NodeError::TimedOut))
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

    /// Returns the time for which calls have been pending without a sign of life of the node.
    fn silence(&self) -> Duration {
        self.connection.life_signs().silence()
    }

    fn begin_call(&self) -> PendingCall<'_> {
        if self.pending_calls.fetch_add(1, Relaxed) == 0 {
            self.connection.life_signs().record();
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
    pub fn over(stream: tokio::io::DuplexStream) -> Arc<Self> {
        let connection = Multiplexer::start(super::wire::NodeStream::Simulated(Box::new(stream)), |_| {});
        Arc::new(Self::new(connection, Duration::from_secs(1), Arc::new(Notify::new())))
    }
}
