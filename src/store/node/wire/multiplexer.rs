//! The calls of many requests over one stream. Replies come in the order of the commands.
//!
//! A call whose caller is gone keeps its place until its reply has arrived, because the node sends the reply anyway.

use super::{
    alarm::Alarm,
    call::{Call, PendingReplies},
    life_signs::LifeSigns,
    reply_reader::{ArrivedReply, ReplyReader, Retention},
    reply_slot::{ReplyReceiver, reply_slot},
    stream::NodeStream,
    unsent::Unsent,
};
use crate::store::node::client_windows::ReadCharge;
use redis::{Pipeline, PushInfo, PushKind, Value};
use std::{
    collections::VecDeque,
    io, mem,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};
use tokio::{io::AsyncWrite, sync::mpsc, time::Instant};

/// Bytes that wait to be sent above which no further ones are prepared.
const UNSENT_BYTES_MAX: usize = 256 * 1024;
/// Size of the longest string that is kept of a reply: a value may fill a whole response, and an envelope adds a little.
pub const STRING_BYTES_MAX: usize = 64 * 1024 * 1024 + 1024;

/// The parts of a call besides its commands.
pub struct CallOptions {
    charge: Option<ReadCharge>,
    wakes_at: Instant,
}

impl CallOptions {
    /// Creates the options: the charge of the client, if the call reads for one, which is released when the last reply has
    /// arrived, and the time at which the caller is woken if it still waits then.
    pub fn new(charge: Option<ReadCharge>, wakes_at: Instant) -> Self {
        Self { charge, wakes_at }
    }
}

/// The calls over one stream.
pub struct Multiplexer {
    calls: mpsc::UnboundedSender<Call>,
    life_signs: Arc<LifeSigns>,
}

impl Multiplexer {
    /// Starts the task of a stream. `on_push` receives the messages that answer no command, and a message about the end
    /// of the stream; it must not block.
    pub fn start(stream: NodeStream, on_push: impl Fn(PushInfo) + Send + 'static) -> Self {
        let (calls, taken) = mpsc::unbounded_channel();
        let life_signs = Arc::new(LifeSigns::default());
        tokio::spawn(Driver {
            stream,
            calls: taken,
            waiting: VecDeque::new(),
            unsent: Unsent::default(),
            pending: VecDeque::new(),
            alarm: Alarm::default(),
            reader: ReplyReader::default(),
            on_push: Box::new(on_push),
            life_signs: Arc::clone(&life_signs),
        });
        Self { calls, life_signs }
    }

    /// Returns the signs of life of the node.
    pub fn life_signs(&self) -> &LifeSigns {
        &self.life_signs
    }

    /// Sends one packed command. Returns the place of its reply, which may be an error of the node; there is none if the stream
    /// ends before.
    pub fn call(&self, bytes: Vec<u8>, options: CallOptions) -> ReplyReceiver<Value> {
        let (caller, reply) = reply_slot();
        self.send(bytes, PendingReplies::One(caller), options);
        reply
    }

    /// Sends several commands at once, and returns the place of their replies.
    pub fn call_all(&self, commands: &Pipeline, options: CallOptions) -> ReplyReceiver<Vec<Value>> {
        let (caller, replies) = reply_slot();
        match commands.len() {
            0 => caller.send(Vec::new()),
            count => {
                let pending = PendingReplies::Several { caller, values: Vec::with_capacity(count), missing: count };
                self.send(commands.get_packed_pipeline(), pending, options);
            }
        }
        replies
    }

    fn send(&self, bytes: Vec<u8>, replies: PendingReplies, CallOptions { charge, wakes_at }: CallOptions) {
        // A call that nobody takes any more is dropped, by which its caller learns that there will be no reply.
        let _sent = self.calls.send(Call { bytes, replies, charge, wakes_at: Some(wakes_at), arrived: 0 });
    }
}

/// The task of a stream.
struct Driver {
    stream: NodeStream,
    calls: mpsc::UnboundedReceiver<Call>,
    /// The calls whose commands are not among the bytes to be sent. As many as the limits on commands in flight allow.
    waiting: VecDeque<Call>,
    unsent: Unsent,
    /// The calls whose commands are, or were, among the bytes to be sent.
    pending: VecDeque<Call>,
    alarm: Alarm,
    reader: ReplyReader,
    on_push: Box<dyn Fn(PushInfo) + Send>,
    life_signs: Arc<LifeSigns>,
}

impl Driver {
    /// Reads until nothing more has arrived. Always returns an error when it is ready.
    fn poll_replies(&mut self, context: &mut Context<'_>) -> Poll<io::Error> {
        loop {
            let is_abandoned = self.pending.front().is_some_and(|call| call.replies.is_abandoned());
            let reply = self.reader.poll_reply(context, &mut self.stream, &self.life_signs, |length| {
                if length > STRING_BYTES_MAX {
                    Retention::Refuse
                } else if is_abandoned {
                    Retention::Skip
                } else {
                    Retention::Keep
                }
            });
            match ready!(reply) {
                Ok(reply) => self.dispatch(reply),
                Err(error) => return Poll::Ready(error),
            }
        }
    }

    fn dispatch(&mut self, reply: ArrivedReply) {
        let value_bytes = reply.value_bytes();
        match reply.value {
            Value::Push { kind, data } => (self.on_push)(PushInfo { kind, data }),
            value => {
                let Some(call) = self.pending.pop_front() else { return };
                if let (Some(charge), Some(bytes)) = (&call.charge, value_bytes) {
                    charge.record(call.arrived, bytes);
                }
                if let Some(call) = call.add(value) {
                    self.pending.push_front(call);
                }
            }
        }
    }

    /// Takes the calls that were made. Returns `Ready` when nobody can call any more.
    fn poll_calls(&mut self, context: &mut Context<'_>) -> Poll<()> {
        while let Some(call) = ready!(self.calls.poll_recv(context)) {
            if let Some(at) = call.wakes_at {
                self.alarm.set(at);
            }
            self.waiting.push_back(call);
        }
        Poll::Ready(())
    }

    /// Sends the commands of the calls that were taken until nothing more can be sent. Returns `Ready` if the stream failed.
    fn poll_send(&mut self, context: &mut Context<'_>) -> Poll<io::Error> {
        loop {
            while self.unsent.bytes < UNSENT_BYTES_MAX {
                match self.waiting.pop_front() {
                    // Nobody waits for the reply, and the command has not been sent.
                    Some(call) if call.replies.is_abandoned() => {}
                    Some(mut call) => {
                        self.unsent.push(mem::take(&mut call.bytes));
                        self.pending.push_back(call);
                    }
                    None => break,
                }
            }
            let Some(first) = self.unsent.first() else {
                return match Pin::new(&mut self.stream).poll_flush(context) {
                    Poll::Ready(Err(error)) => Poll::Ready(error),
                    Poll::Ready(Ok(())) | Poll::Pending => Poll::Pending,
                };
            };
            match ready!(Pin::new(&mut self.stream).poll_write(context, first)) {
                Ok(0) => return Poll::Ready(io::ErrorKind::WriteZero.into()),
                Ok(written) => self.unsent.advance(written),
                Err(error) => return Poll::Ready(error),
            }
        }
    }

    /// Wakes the callers whose time has come, and waits for the next time.
    fn poll_alarm(&mut self, context: &mut Context<'_>) {
        while let Poll::Ready(now) = self.alarm.poll(context) {
            let next = self.pending.iter_mut().chain(&mut self.waiting).filter_map(|call| call.wake(now)).min();
            if let Some(next) = next {
                self.alarm.set(next);
            }
        }
    }
}

impl Future for Driver {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        self.reader.begin_turn();
        // The next replies are read before the next commands are sent, so that neither side waits for the other for ever.
        let has_ended = self.poll_replies(context).is_ready()
            || self.poll_calls(context).is_ready()
            || self.poll_send(context).is_ready();
        if has_ended {
            return Poll::Ready(());
        }
        self.poll_alarm(context);
        Poll::Pending
    }
}

impl Drop for Driver {
    /// Reports the end of the stream, however the task ends.
    fn drop(&mut self) {
        (self.on_push)(PushInfo { kind: PushKind::Disconnection, data: Vec::new() });
    }
}
