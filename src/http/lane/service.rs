//! The part of a service that answers the requests of one connection in its lane.

use super::{head::LaneHead, reply::LaneReply};
use crate::http::{
    body::{BufferedBody, RequestBody, too_large},
    body_memory::BodyPermit,
    problem::Problem,
};
use axum::{extract::Request, response::Response};

/// The part of a service that answers the requests of one connection in its lane.
pub trait LaneService: Sync {
    /// The lines with which the requests begin that the lane takes: first that of commands, then those of other requests on the
    /// same connections.
    const REQUEST_LINES: &'static [&'static str];
    /// A request for commands whose head was read.
    type Admission: Send + Sync;

    /// Reads the head of a request for commands.
    fn admit(&self, head: &LaneHead<'_>) -> Self::Admission;

    /// Returns a permit for the memory of a request's body; `None` if the body will be dropped.
    fn body_permit<'a>(&'a self, admission: &'a Self::Admission) -> Option<BodyPermit<'a>>;

    /// Answers a request for commands.
    fn answer<'a>(
        &'a self,
        admission: &'a mut Self::Admission,
        body: LaneBody<'a>,
    ) -> impl Future<Output = LaneReply> + Send + 'a;

    /// Answers another request.
    fn call(&self, request: Request) -> impl Future<Output = Response> + Send;

    /// Returns true once the client has shown a valid token or API key.
    fn is_authenticated(&self) -> bool;

    /// Records a large reply whose bytes are about to be sent.
    fn begin_large_reply(&self) -> impl LargeReply + Send + 'static;

    /// Returns true if the service ends its connections soon.
    fn is_draining(&self) -> bool;
}

/// The record of a large reply that is being sent.
pub trait LargeReply {
    /// Records that the client took a part of the reply.
    fn advance(&self);
}

/// A body that has arrived as a whole.
pub struct LaneBody<'b>(pub &'b [u8]);

impl<'b> RequestBody for LaneBody<'b> {
    type Bytes = &'b [u8];

    async fn read(self, bytes_max: usize, mut memory: BodyPermit<'_>) -> Result<BufferedBody<'_, &'b [u8]>, Problem> {
        if self.0.len() > bytes_max {
            return Err(too_large(bytes_max));
        }
        memory.reserve(self.0.len())?;
        Ok(BufferedBody::new(self.0, memory))
    }

    async fn discard(self) {}
}
