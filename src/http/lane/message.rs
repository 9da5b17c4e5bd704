//! The message at the beginning of the input.

use super::{
    head::{self, LaneHead, Parsed},
    service::LaneService,
};
use axum::{
    extract::Request,
    http::{Method, request},
};

/// The beginning of the input.
pub enum Message<A> {
    /// Not enough of it has arrived.
    Partial,
    /// It is hyper's.
    HandOver,
    /// A request for commands.
    Commands(A, MessageSize),
    /// Another request.
    Other(Box<request::Parts>, MessageSize),
}

/// The size of a message.
#[derive(Clone, Copy)]
pub struct MessageSize {
    /// The length of the head in bytes.
    pub head_bytes: usize,
    /// The length of the whole message in bytes.
    pub bytes: usize,
}

impl MessageSize {
    fn of(head: &LaneHead<'_>) -> Self {
        Self { head_bytes: head.bytes, bytes: head.bytes + head.body_bytes }
    }
}

/// Reads the head of the message at the beginning of the input.
pub fn first<L: LaneService>(service: &L, input: &[u8]) -> Message<L::Admission> {
    let mut room = head::field_room();
    match head::parse(input, L::REQUEST_LINES, &mut room) {
        Parsed::Partial => Message::Partial,
        Parsed::HandOver => Message::HandOver,
        Parsed::Head(head, 0) => Message::Commands(service.admit(&head), MessageSize::of(&head)),
        Parsed::Head(head, line) => other_head(L::REQUEST_LINES[line], &head)
            .map_or(Message::HandOver, |parts| Message::Other(Box::new(parts), MessageSize::of(&head))),
    }
}

/// Returns the head of a request as hyper's services take it.
fn other_head(line: &str, head: &LaneHead<'_>) -> Option<request::Parts> {
    let mut words = line.split(' ');
    let method = Method::from_bytes(words.next()?.as_bytes()).ok()?;
    let (mut parts, ()) = Request::builder().method(method).uri(words.next()?).body(()).ok()?.into_parts();
    parts.headers = head.to_map()?;
    Some(parts)
}
