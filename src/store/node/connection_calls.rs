//! Calls over a connection: they are sent at once, or when the client's other reads leave room, and wait within their time.

use super::{
    call_timeout::CallTimeout,
    client_windows::{ClientWindow, ReadCharge, ReadKeys},
    connection::OpenConnection,
    in_flight::InFlightLimit,
    wire::{CallOptions, ReplyReceiver},
};
use crate::store::error::NodeError;
use redis::{Cmd, Pipeline, Value};
use std::{
    future::poll_fn,
    mem,
    pin::{Pin, pin},
    sync::Arc,
    task::Poll,
    time::Duration,
};
use tokio::time::{Instant, timeout_at};

impl OpenConnection {
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
}
