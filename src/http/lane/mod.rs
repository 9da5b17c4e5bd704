//! The lane: a short way for the requests that are most of the load, in front of hyper.
//!
//! It takes a request only if nothing about it is unusual: HTTP/1.1, a known line, one `Content-Length`, no other framing, and
//! a small body. Everything else goes to hyper with the bytes that were read, before any of them was consumed, and hyper keeps
//! the connection from then on. The lane has no rules of its own for callers, limits, metrics, traces and errors: those are
//! the service's ([`LaneService`]).

mod connection;
mod head;
mod input;
mod message;
mod reply;
mod rewound_stream;
mod service;
#[cfg(test)]
mod tests;
mod turns;

pub use connection::{LaneEnd, run};
pub use head::LaneHead;
pub use reply::{LaneReply, ReplyFields};
pub use rewound_stream::RewoundStream;
pub use service::{LaneBody, LaneService, LargeReply};
pub use turns::Turns;
