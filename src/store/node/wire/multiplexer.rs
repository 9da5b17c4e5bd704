//! The calls of many requests over one stream. Replies come in the order of the commands.
//!
//! A call whose caller is gone keeps its place until its reply has arrived, because the node sends the reply anyway.

use super::{
    life_signs::LifeSigns,
    reply_reader::{ArrivedReply, ReplyReader, Retention},
    stream::NodeStream,
};
use crate::store::{error::NodeError, node::client_windows::ReadCharge};
use redis::{Cmd, Pipeline, PushInfo, PushKind, Value};
use std::{
    collections::VecDeque,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};
use tokio::{
    io::AsyncWrite,
    sync::{mpsc, oneshot},
};

/// Number of calls that can be handed to a connection before its task takes them.
const QUEUE_MAX: usize = 4096;
/// Bytes that wait to be sent above which no further call is taken.
const UNSENT_BYTES_MAX: usize = 256 * 1024;
/// Size up to which a command is copied to those that are sent together with it.
const COPIED_BYTES_MAX: usize = 16 * 1024;
/// Size of the bytes that are sent together from which no further command is copied to them.
const CHUNK_BYTES_MAX: usize = 64 * 1024;
/// Size of the longest string that is kept of a reply: a value may fill a whole response, and an envelope adds a little.
pub const STRING_BYTES_MAX: usize = 64 * 1024 * 1024 + 1024;

/// The calls over one stream.
pub struct Multiplexer {
    calls: mpsc::Sender<Call>,
    life_signs: Arc<LifeSigns>,
}

/// Commands that are sent together, and the place of their replies.
struct Call {
    bytes: Vec<u8>,
    replies: PendingReplies,
    charge: Option<ReadCharge>,
}

/// A call whose commands were sent.
struct SentCall {
    replies: PendingReplies,
    /// The charge of its client, which is released when the last reply has arrived.
    charge: Option<ReadCharge>,
    /// The number of replies that have arrived.
    arrived: usize,
}

/// The replies that a call waits for.
enum PendingReplies {
    One(oneshot::Sender<Value>),
    Several { caller: oneshot::Sender<Vec<Value>>, values: Vec<Value>, missing: usize },
}

impl PendingReplies {
    /// Returns true if the caller is gone.
    fn is_abandoned(&self) -> bool {
        match self {
            Self::One(caller) => caller.is_closed(),
            Self::Several { caller, .. } => caller.is_closed(),
        }
    }

    /// Adds a reply. Returns the replies that are still missing, if there are any.
    fn add(self, value: Value) -> Option<Self> {
        match self {
            Self::One(caller) => {
                // The caller may be gone.
                let _received = caller.send(value);
                None
            }
            Self::Several { caller, mut values, missing: 1 } => {
                values.push(value);
                let _received = caller.send(values);
                None
            }
            Self::Several { caller, mut values, missing } => {
                if caller.is_closed() {
                    values = Vec::new();
                } else {
                    values.push(value);
                }
                Some(Self::Several { caller, values, missing: missing - 1 })
            }
        }
    }
}

impl Multiplexer {
    /// Starts the task of a stream. `on_push` receives the messages that answer no command, and a message about the end
    /// of the stream; it must not block.
    pub fn start(stream: NodeStream, on_push: impl Fn(PushInfo) + Send + 'static) -> Self {
        let (calls, taken) = mpsc::channel(QUEUE_MAX);
        let life_signs = Arc::new(LifeSigns::default());
        tokio::spawn(Driver {
            stream,
            calls: taken,
            unsent: Unsent::default(),
            pending: VecDeque::new(),
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

    /// Sends one command and waits for its reply, which may be an error of the node.
    pub async fn call(&self, command: &Cmd, charge: Option<ReadCharge>) -> Result<Value, NodeError> {
        let (caller, reply) = oneshot::channel();
        let (bytes, replies) = (command.get_packed_command(), PendingReplies::One(caller));
        self.send(Call { bytes, replies, charge }).await?;
        reply.await.map_err(|_| NodeError::Lost)
    }

    /// Sends several commands at once and waits for their replies.
    pub async fn call_all(&self, commands: &Pipeline, charge: Option<ReadCharge>) -> Result<Vec<Value>, NodeError> {
        let count = commands.len();
        if count == 0 {
            return Ok(Vec::new());
        }
        let (caller, replies) = oneshot::channel();
        let pending = PendingReplies::Several { caller, values: Vec::with_capacity(count), missing: count };
        self.send(Call { bytes: commands.get_packed_pipeline(), replies: pending, charge }).await?;
        replies.await.map_err(|_| NodeError::Lost)
    }

    async fn send(&self, call: Call) -> Result<(), NodeError> {
        self.calls.send(call).await.map_err(|_| NodeError::Lost)
    }
}

/// The bytes that wait to be sent.
#[derive(Default)]
struct Unsent {
    chunks: VecDeque<Vec<u8>>,
    /// The bytes of the first chunk that have been sent.
    sent: usize,
    bytes: usize,
}

impl Unsent {
    fn push(&mut self, bytes: Vec<u8>) {
        self.bytes += bytes.len();
        match self.chunks.back_mut() {
            Some(last) if bytes.len() <= COPIED_BYTES_MAX && last.len() < CHUNK_BYTES_MAX => {
                last.extend_from_slice(&bytes);
            }
            _ => self.chunks.push_back(bytes),
        }
    }

    fn first(&self) -> Option<&[u8]> {
        self.chunks.front().map(|chunk| &chunk[self.sent..])
    }

    fn advance(&mut self, written: usize) {
        self.bytes -= written;
        self.sent += written;
        if self.chunks.front().is_some_and(|chunk| chunk.len() == self.sent) {
            self.chunks.pop_front();
            self.sent = 0;
        }
    }
}

/// The task of a stream.
struct Driver {
    stream: NodeStream,
    calls: mpsc::Receiver<Call>,
    unsent: Unsent,
    pending: VecDeque<SentCall>,
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
                let Some(SentCall { replies, charge, arrived }) = self.pending.pop_front() else { return };
                if let (Some(charge), Some(bytes)) = (&charge, value_bytes) {
                    charge.record(arrived, bytes);
                }
                if let Some(replies) = replies.add(value) {
                    self.pending.push_front(SentCall { replies, charge, arrived: arrived + 1 });
                }
            }
        }
    }

    /// Takes calls and sends their commands until nothing more can be sent. Returns `Ready` when the stream is at its end:
    /// it failed, or nobody can call any more.
    fn poll_calls(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            while self.unsent.bytes < UNSENT_BYTES_MAX {
                match self.calls.poll_recv(context) {
                    // Nobody waits for the reply, and the command has not been sent.
                    Poll::Ready(Some(call)) if call.replies.is_abandoned() => {}
                    Poll::Ready(Some(Call { bytes, replies, charge })) => {
                        self.unsent.push(bytes);
                        self.pending.push_back(SentCall { replies, charge, arrived: 0 });
                    }
                    Poll::Ready(None) => return Poll::Ready(Ok(())),
                    Poll::Pending => break,
                }
            }
            let Some(first) = self.unsent.first() else {
                return match Pin::new(&mut self.stream).poll_flush(context) {
                    Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
                    Poll::Ready(Ok(())) | Poll::Pending => Poll::Pending,
                };
            };
            let written = ready!(Pin::new(&mut self.stream).poll_write(context, first))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.unsent.advance(written);
        }
    }
}

impl Future for Driver {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        self.reader.begin_turn();
        // The next replies are read before the next commands are sent, so that neither side waits for the other for ever.
        let ended = match self.poll_replies(context) {
            Poll::Ready(_error) => true,
            Poll::Pending => self.poll_calls(context).is_ready(),
        };
        if ended { Poll::Ready(()) } else { Poll::Pending }
    }
}

impl Drop for Driver {
    /// Reports the end of the stream, however the task ends.
    fn drop(&mut self) {
        (self.on_push)(PushInfo { kind: PushKind::Disconnection, data: Vec::new() });
    }
}
