//! The loop of one connection in its lane.

use super::{
    input::{Input, READ_BYTES},
    message::{self, Message, MessageSize},
    reply::{LaneReply, LargeBody},
    service::{LaneBody, LaneService, LargeReply},
    turns::Turns,
};
use axum::{body::Body, extract::Request, http::request};
use bytes::Bytes;
use futures_util::{
    future::{Either, select},
    poll,
};
use std::{
    future::poll_fn,
    io, mem,
    pin::{Pin, pin},
    task::Poll,
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt},
    task::yield_now,
    time::timeout,
};

/// Time for the rest of a body to arrive. A slow sender is hyper's affair, with all limits for those.
const BODY_WAIT: Duration = Duration::from_secs(1);
/// Number of times that the rest of a head is awaited.
const PARTIAL_HEADS_MAX: u32 = 8;
/// Bytes of a message that need no permit, and that an idle connection may keep room for.
const SMALL_BYTES_MAX: usize = 4 * 1024;
/// Bytes of replies that are collected before they are sent.
const COLLECTED_BYTES_MAX: usize = 64 * 1024;
/// Bytes of a large body that are sent at once.
const PIECE_BYTES: usize = 64 * 1024;
/// Number of requests that are answered before other connections have a turn.
const REQUESTS_PER_TURN: u32 = 16;

/// The end of a connection in its lane.
pub enum LaneEnd {
    /// The connection is closed, or cannot be used any more.
    Closed,
    /// hyper has to go on.
    HandedOver {
        /// The bytes that were read, and belong to a request that was not answered.
        bytes: Vec<u8>,
        /// Requests were answered, so that the connection is one of HTTP/1.1.
        has_answered: bool,
    },
    /// Another worker has to go on. Nothing of a request was read.
    Moves,
}

/// The reason why the loop ends early. An error of the connection is the client's affair.
enum Leave {
    Closed,
    HandOver,
    Move,
}

impl From<io::Error> for Leave {
    fn from(_: io::Error) -> Self {
        Self::Closed
    }
}

/// Answers the requests of a connection until it ends, until one of them is hyper's, or until `turns` says that it moves. `stop`
/// ends an idle connection.
pub async fn run<S, L>(
    stream: &mut S,
    service: &L,
    stop: impl Future<Output = ()>,
    turns: &mut (impl Turns + ?Sized),
) -> LaneEnd
where
    S: AsyncRead + AsyncWrite + Unpin,
    L: LaneService,
{
    let mut lane = Lane {
        stream,
        service,
        input: Input::default(),
        early: Input::default(),
        output: Vec::new(),
        has_answered: false,
    };
    match lane.run(pin!(stop), turns).await {
        Leave::Closed => LaneEnd::Closed,
        Leave::Move => LaneEnd::Moves,
        Leave::HandOver => {
            // Replies that were collected stand before that of hyper.
            if lane.flush().await.is_err() {
                return LaneEnd::Closed;
            }
            LaneEnd::HandedOver { bytes: lane.input.into_rest(), has_answered: lane.has_answered }
        }
    }
}

struct Lane<'a, S, L> {
    stream: &'a mut S,
    service: &'a L,
    /// The bytes that were read.
    input: Input,
    /// The bytes that were read while a request was answered.
    early: Input,
    /// Replies that were not sent.
    output: Vec<u8>,
    /// A request was answered.
    has_answered: bool,
}

impl<S, L> Lane<'_, S, L>
where
    S: AsyncRead + AsyncWrite + Unpin,
    L: LaneService,
{
    async fn run(&mut self, mut stop: Pin<&mut impl Future<Output = ()>>, turns: &mut (impl Turns + ?Sized)) -> Leave {
        let mut is_stop_awaited = false;
        let mut partial_heads = 0;
        loop {
            match self.answer_all(&mut partial_heads).await {
                Ok(answered) => {
                    turns.record(answered);
                    if self.input.rest().is_empty() && turns.moves() && !self.service.is_draining() {
                        return Leave::Move;
                    }
                }
                Err(leave) => return leave,
            }
            if partial_heads > PARTIAL_HEADS_MAX {
                return Leave::HandOver;
            }
            let (input, stream, service) = (&mut self.input, &mut *self.stream, self.service);
            let read = poll_fn(|context| {
                let polled = input.poll_read(stream, context);
                // The signal is asked again only when there is one: its waiters are shared by all connections.
                if polled.is_pending() && (!is_stop_awaited || service.is_draining()) {
                    is_stop_awaited = true;
                    if stop.as_mut().poll(context).is_ready() {
                        return Poll::Ready(None);
                    }
                }
                polled.map(Some)
            });
            match read.await {
                Some(Ok(1..)) => {}
                Some(Err(_)) => return Leave::Closed,
                // The end of the stream, or of the service. hyper knows how to end within a message.
                Some(Ok(0)) | None if !self.input.rest().is_empty() => return Leave::HandOver,
                Some(Ok(0)) | None => return self.close().await,
            }
        }
    }

    /// Answers the requests that have arrived, in their order, and sends the replies together. Returns their number.
    async fn answer_all(&mut self, partial_heads: &mut u32) -> Result<u32, Leave> {
        let mut answered = 0;
        while !self.input.rest().is_empty() {
            let (reply, size) = match message::first(self.service, self.input.rest()) {
                Message::HandOver => return Err(Leave::HandOver),
                Message::Partial => {
                    *partial_heads += 1;
                    break;
                }
                Message::Commands(mut admission, size) => {
                    self.receive(Some(&admission), size).await?;
                    (self.answer(&mut admission, size).await?, size)
                }
                Message::Other(head, size) => {
                    self.receive(None, size).await?;
                    (self.call(*head, size).await?, size)
                }
            };
            self.input.use_up(size.bytes);
            let early = mem::take(&mut self.early);
            if !early.rest().is_empty() {
                self.input.add(early.rest());
            }
            self.has_answered = true;
            *partial_heads = 0;
            if self.send(reply).await? {
                return Err(self.close().await);
            }
            answered += 1;
            if answered % REQUESTS_PER_TURN == 0 {
                self.flush().await?;
                yield_now().await;
            }
        }
        self.flush().await?;
        self.input.forget_answered();
        Ok(answered)
    }

    /// Waits until the message has arrived as a whole.
    async fn receive(&mut self, admission: Option<&L::Admission>, size: MessageSize) -> Result<(), Leave> {
        if self.input.rest().len() >= size.bytes {
            return Ok(());
        }
        let mut permit = admission.and_then(|admission| self.service.body_permit(admission));
        let is_small = size.bytes <= SMALL_BYTES_MAX;
        if !is_small && (permit.is_none() || !self.service.is_authenticated()) {
            return Err(Leave::HandOver);
        }
        self.flush().await?;
        let (input, stream) = (&mut self.input, &mut *self.stream);
        let receiving = async {
            while input.rest().len() < size.bytes {
                if let Some(permit) = &mut permit {
                    let received = input.rest().len().saturating_sub(size.head_bytes);
                    // hyper tells the client.
                    permit.reserve(received).and_then(|()| permit.wait()).map_err(|_| Leave::HandOver)?;
                }
                let read = poll_fn(|context| input.poll_read(stream, context)).await?;
                if read == 0 {
                    return Err(Leave::HandOver);
                }
            }
            Ok(())
        };
        timeout(BODY_WAIT, receiving).await.unwrap_or(Err(Leave::HandOver))
    }

    /// Answers a request for commands. While it waits for Redis, the replies before it are sent, and the client is watched.
    async fn answer(&mut self, admission: &mut L::Admission, size: MessageSize) -> Result<LaneReply, Leave> {
        let body = LaneBody(&self.input.rest()[size.head_bytes..size.bytes]);
        let mut answer = pin!(self.service.answer(admission, body));
        if let Poll::Ready(reply) = poll!(answer.as_mut()) {
            return Ok(reply);
        }
        if !self.output.is_empty() {
            // The request goes on while the client does not take the replies before it: it holds a slot until it ends, and the
            // idle timeout looks at the connection only then.
            let sending = pin!(send_all(self.stream, &mut self.output));
            match select(answer.as_mut(), sending).await {
                Either::Left((reply, sending)) => {
                    sending.await?;
                    return Ok(reply);
                }
                Either::Right((sent, _)) => sent?,
            }
        }
        // Only a client that has sent nothing more can be heard to go away.
        let mut is_watched = self.input.rest().len() == size.bytes;
        poll_fn(|context| {
            if let Poll::Ready(reply) = answer.as_mut().poll(context) {
                return Poll::Ready(Ok(reply));
            }
            if is_watched && let Poll::Ready(read) = self.early.poll_read(self.stream, context) {
                is_watched = false;
                if !matches!(read, Ok(1..)) {
                    return Poll::Ready(Err(Leave::Closed));
                }
            }
            Poll::Pending
        })
        .await
    }

    /// Answers another request.
    async fn call(&mut self, head: request::Parts, size: MessageSize) -> Result<LaneReply, Leave> {
        let body = &self.input.rest()[size.head_bytes..size.bytes];
        let request = Request::from_parts(head, Body::from(Bytes::copy_from_slice(body)));
        // Boxed, so that the connection does not keep room for it.
        let response = Box::pin(self.service.call(request)).await;
        LaneReply::from_response(response).await.ok_or(Leave::Closed)
    }

    /// Collects a reply, and sends it if it is large. Returns true if it is the last one.
    async fn send(&mut self, reply: LaneReply) -> Result<bool, Leave> {
        let LaneReply { bytes, large, is_last } = reply;
        if self.output.is_empty() {
            self.output = bytes;
        } else {
            self.output.extend_from_slice(&bytes);
        }
        let Some(LargeBody { bytes, memory }) = large else {
            if is_last || self.output.len() > COLLECTED_BYTES_MAX {
                self.flush().await?;
            }
            return Ok(is_last);
        };
        let record = self.service.begin_large_reply();
        // The first piece goes with the head.
        let (first, rest) = bytes.split_at(bytes.len().min(READ_BYTES));
        self.output.extend_from_slice(first);
        self.flush().await?;
        for piece in rest.chunks(PIECE_BYTES) {
            self.stream.write_all(piece).await?;
            record.advance();
        }
        self.stream.flush().await?;
        drop(memory);
        Ok(is_last)
    }

    async fn flush(&mut self) -> io::Result<()> {
        if self.output.is_empty() { Ok(()) } else { send_all(self.stream, &mut self.output).await }
    }

    async fn close(&mut self) -> Leave {
        // The end of a connection is the client's affair.
        let _ended = self.stream.shutdown().await;
        Leave::Closed
    }
}

/// Sends replies, and drops them with their room: an idle connection keeps none for them.
async fn send_all(stream: &mut (impl AsyncWrite + Unpin), output: &mut Vec<u8>) -> io::Result<()> {
    let replies = mem::take(output);
    stream.write_all(&replies).await?;
    stream.flush().await
}
