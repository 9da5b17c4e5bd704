//! Reads replies from a stream.
//!
//! A reply never costs more memory than may be kept of it: a string that is too large, or whose reader is gone, is
//! skipped as it arrives. A text that is not UTF-8 is repaired, because the end of the connection would cost all calls
//! that share it their answers.

mod items;

use super::life_signs::LifeSigns;
use crate::store::protocol::reply;
use bytes::BufMut;
use items::{Aggregate, Item, invalid, parse_item};
use redis::Value;
use std::{
    io,
    pin::{Pin, pin},
    task::{Context, Poll, ready},
};
use tokio::io::{AsyncRead, AsyncReadExt, ReadBuf};

/// Size of the buffer. A longer string is read into its own memory.
const BUFFER_BYTES: usize = 16 * 1024;
/// Bytes that are kept of a line that does not fit into the buffer.
const LINE_BYTES_KEPT: usize = 1024;
/// Bytes of a long string that are read at once.
const BYTES_AT_ONCE: usize = 64 * 1024;
/// Bytes that are read before other tasks of the event loop get their turn.
const BYTES_PER_TURN: usize = 256 * 1024;
/// Bytes of a long string that are a sign of life. A node that drips, and sends less of a reply in the time of one attempt,
/// counts as silent.
const SIGN_OF_LIFE_BYTES: usize = 16 * 1024;
/// Maximum depth of nested replies.
const DEPTH_MAX: usize = 32;

/// The fate of a string that does not fit into the buffer.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Retention {
    /// The string is kept.
    Keep,
    /// The string is skipped, because nobody waits for it.
    Skip,
    /// The string is skipped, and an error takes its place.
    Refuse,
}

/// A complete reply.
pub struct ArrivedReply {
    /// The value.
    pub value: Value,
    /// The length of the string that the reply consists of, also if it was skipped; 0 for any other reply.
    pub string_bytes: usize,
}

impl ArrivedReply {
    /// Returns the bytes of the value that a read found; `None` for a refusal, which says nothing about the value. That a value
    /// is too large is no refusal.
    pub fn value_bytes(&self) -> Option<usize> {
        let is_refusal = self.string_bytes == 0 && matches!(self.value, Value::ServerError(_));
        (!is_refusal).then_some(self.string_bytes)
    }
}

/// A string that does not fit into the buffer.
enum LongString {
    Kept { bytes: Vec<u8>, length: usize, kind: u8 },
    Skipped { left: usize, length: usize, is_refused: bool },
}

/// Reads replies from a stream.
pub struct ReplyReader {
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
    long: Option<LongString>,
    /// Bytes that may be read in this turn.
    turn_bytes_left: usize,
    /// Bytes that have arrived since the last sign of life.
    unrecorded_bytes: usize,
    /// The aggregates that are not complete yet, from the outermost on.
    open: Vec<Aggregate>,
}

impl Default for ReplyReader {
    fn default() -> Self {
        Self {
            buffer: vec![0; BUFFER_BYTES].into(),
            start: 0,
            end: 0,
            long: None,
            turn_bytes_left: BYTES_PER_TURN,
            unrecorded_bytes: 0,
            open: Vec::new(),
        }
    }
}

impl ReplyReader {
    /// Begins a turn of the task that reads.
    pub fn begin_turn(&mut self) {
        self.turn_bytes_left = BYTES_PER_TURN;
    }

    /// Ends the turn if enough was read in it: the task is then woken again behind the others.
    fn poll_turn(&self, context: &Context<'_>) -> Poll<()> {
        if self.turn_bytes_left > 0 {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }

    /// Records bytes that have arrived; none mean that the node has closed the connection.
    fn record_bytes(&mut self, arrived: usize, life_signs: &LifeSigns) -> io::Result<()> {
        if arrived == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.turn_bytes_left = self.turn_bytes_left.saturating_sub(arrived);
        self.unrecorded_bytes += arrived;
        if self.unrecorded_bytes >= SIGN_OF_LIFE_BYTES {
            self.record_life(life_signs);
        }
        Ok(())
    }

    /// Records a sign of life, if anything has arrived since the last one.
    fn record_life(&mut self, life_signs: &LifeSigns) {
        if std::mem::take(&mut self.unrecorded_bytes) > 0 {
            life_signs.record();
        }
    }

    /// Reads the next reply. `retention` decides about a string of this length that does not fit into the buffer.
    pub fn poll_reply(
        &mut self,
        context: &mut Context<'_>,
        stream: &mut (impl AsyncRead + Unpin),
        life_signs: &LifeSigns,
        retention: impl Fn(usize) -> Retention,
    ) -> Poll<io::Result<ArrivedReply>> {
        loop {
            let (value, string_bytes) = if self.long.is_some() {
                ready!(self.poll_long(context, stream, life_signs))?
            } else {
                match parse_item(&self.buffer[self.start..self.end])? {
                    Some((Item::Value(value), used)) => {
                        self.start += used;
                        let bytes = if let Value::BulkString(bytes) = &value { bytes.len() } else { 0 };
                        (value, bytes)
                    }
                    Some((Item::Aggregate(aggregate), used)) => {
                        self.start += used;
                        if self.open.len() == DEPTH_MAX {
                            return Poll::Ready(Err(invalid("a reply is nested too deeply")));
                        }
                        self.open.push(aggregate);
                        continue;
                    }
                    Some((Item::LongString { kind, length }, used)) => {
                        self.start += used;
                        self.begin_long(kind, length, retention(length));
                        continue;
                    }
                    None => {
                        ready!(self.poll_fill(context, stream, life_signs))?;
                        continue;
                    }
                }
            };
            self.record_life(life_signs);
            let string_bytes = if self.open.is_empty() { string_bytes } else { 0 };
            if let Some(value) = self.complete(value) {
                return Poll::Ready(Ok(ArrivedReply { value, string_bytes }));
            }
        }
    }

    /// Adds a value to the innermost aggregate. Returns the reply if it is complete.
    fn complete(&mut self, mut value: Value) -> Option<Value> {
        loop {
            let Some(aggregate) = self.open.last_mut() else { return Some(value) };
            if !aggregate.add(value) {
                return None;
            }
            // An attribute describes the value behind it, and is of no use here.
            value = self.open.pop()?.into_value()?;
        }
    }

    fn begin_long(&mut self, kind: u8, length: usize, retention: Retention) {
        let arrived = (self.end - self.start).min(length + 2);
        let head = &self.buffer[self.start..self.start + arrived];
        self.long = Some(match retention {
            Retention::Keep => {
                // The line end comes with the string.
                let mut bytes = Vec::with_capacity(length + 2);
                bytes.extend_from_slice(head);
                LongString::Kept { bytes, length, kind }
            }
            Retention::Skip | Retention::Refuse => {
                let is_refused = retention == Retention::Refuse;
                LongString::Skipped { left: length + 2 - arrived, length, is_refused }
            }
        });
        self.start += arrived;
    }

    /// Reads the rest of a long string. Returns its value and its length.
    fn poll_long(
        &mut self,
        context: &mut Context<'_>,
        stream: &mut (impl AsyncRead + Unpin),
        life_signs: &LifeSigns,
    ) -> Poll<io::Result<(Value, usize)>> {
        loop {
            ready!(self.poll_turn(context));
            match self.long.as_mut().expect("called only within a long string") {
                LongString::Kept { bytes, length, .. } if bytes.len() < *length + 2 => {
                    let left = *length + 2 - bytes.len();
                    let mut room = (&mut *bytes).limit(left.min(BYTES_AT_ONCE));
                    let read = pin!(stream.read_buf(&mut room));
                    let arrived = ready!(read.poll(context))?;
                    self.record_bytes(arrived, life_signs)?;
                }
                LongString::Skipped { left, .. } if *left > 0 => {
                    // The buffer is empty until the string ends.
                    let room = (*left).min(BUFFER_BYTES);
                    let mut buffer = ReadBuf::new(&mut self.buffer[..room]);
                    ready!(Pin::new(&mut *stream).poll_read(context, &mut buffer))?;
                    let arrived = buffer.filled().len();
                    *left -= arrived;
                    self.record_bytes(arrived, life_signs)?;
                }
                _ => break,
            }
        }
        Poll::Ready(match self.long.take().expect("it was there before") {
            LongString::Kept { mut bytes, length, kind } => {
                if !bytes.ends_with(b"\r\n") {
                    return Poll::Ready(Err(invalid("a string does not end where it should")));
                }
                bytes.truncate(length);
                Ok((items::string(kind, bytes), length))
            }
            LongString::Skipped { length, is_refused: true, .. } => Ok((reply::too_large(length), length)),
            LongString::Skipped { length, .. } => Ok((Value::Nil, length)),
        })
    }

    /// Reads more bytes into the buffer.
    fn poll_fill(
        &mut self,
        context: &mut Context<'_>,
        stream: &mut (impl AsyncRead + Unpin),
        life_signs: &LifeSigns,
    ) -> Poll<io::Result<()>> {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        } else if self.end == BUFFER_BYTES && self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        } else if self.end == BUFFER_BYTES {
            self.cut_line();
        }
        ready!(self.poll_turn(context));
        let mut buffer = ReadBuf::new(&mut self.buffer[self.end..]);
        ready!(Pin::new(stream).poll_read(context, &mut buffer))?;
        let arrived = buffer.filled().len();
        self.record_bytes(arrived, life_signs)?;
        self.end += arrived;
        Poll::Ready(Ok(()))
    }

    /// Drops the middle of a line that fills the buffer: only an error of the node can be as long.
    fn cut_line(&mut self) {
        let may_end = usize::from(self.buffer[self.end - 1] == b'\r');
        if may_end == 1 {
            self.buffer[LINE_BYTES_KEPT] = b'\r';
        }
        self.end = LINE_BYTES_KEPT + may_end;
    }
}

#[cfg(test)]
mod tests;
