//! The service of one connection, as the lane asks it.

use super::{
    body::RequestBody,
    body_memory::BodyPermit,
    command_answer::CommandAnswer,
    connection::{ClientConnection, PendingReply},
    head_fields::HeadFields,
    header_values::NO_SNIFFING,
    lane::{LaneBody, LaneHead, LaneReply, LaneService, LargeReply, ReplyFields},
    problem,
    request_id::{self, RequestId},
    service::{HTTPS_FOR_A_YEAR, HttpService},
    state::AppState,
    sync_token_header,
};
use crate::telemetry::traces;
use axum::{
    extract::Request,
    http::header::{CONNECTION, STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS},
    response::Response,
};
use futures_util::FutureExt;
use std::{
    marker::PhantomData,
    mem,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};
use tower::Service;
use tracing::{Instrument, Span};

/// The endpoint for commands.
pub trait HotRoute: Send + Sync + 'static {
    /// The line with which its requests begin, and then those of other requests on the same connections.
    const REQUEST_LINES: &'static [&'static str];
    /// The name of the span of its requests.
    const SPAN: &'static str;
    /// A request whose head was read.
    type Admission: Send + Sync;

    /// Reads the head of a request.
    fn admit(state: &AppState, connection: &ClientConnection, fields: &impl HeadFields) -> Self::Admission;

    /// Returns a permit for the memory of the body; `None` if the body will be dropped.
    fn body_permit<'a>(state: &'a AppState, admission: &'a Self::Admission) -> Option<BodyPermit<'a>>;

    /// Answers a request.
    fn answer(
        state: &AppState,
        id: &RequestId,
        admission: &mut Self::Admission,
        body: impl RequestBody,
    ) -> impl Future<Output = CommandAnswer> + Send;
}

/// The service of one connection, as its lane asks it.
pub struct CommandLane<R> {
    http: HttpService,
    route: PhantomData<R>,
}

/// A request whose head was read.
pub struct LaneAdmission<A> {
    id: RequestId,
    span: Span,
    is_last: bool,
    /// The admission by the route; `None` if that panicked.
    admission: Option<A>,
}

impl<R> CommandLane<R> {
    /// Creates the service of a connection.
    pub fn new(http: HttpService) -> Self {
        Self { http, route: PhantomData }
    }

    /// Returns the service of the connection.
    pub fn into_inner(self) -> HttpService {
        self.http
    }
}

impl<R: HotRoute> LaneService for CommandLane<R> {
    const REQUEST_LINES: &'static [&'static str] = R::REQUEST_LINES;
    type Admission = LaneAdmission<R::Admission>;

    fn admit(&self, head: &LaneHead<'_>) -> Self::Admission {
        let connection = self.http.connection();
        connection.begin_request();
        let id = RequestId::of(head);
        let span = self.http.span(Some(R::SPAN), &id, head);
        let admission = catch_unwind(AssertUnwindSafe(|| R::admit(self.http.state(), connection, head))).ok();
        LaneAdmission { id, span, is_last: self.http.ends_after_request(), admission }
    }

    fn body_permit<'a>(&'a self, admission: &'a Self::Admission) -> Option<BodyPermit<'a>> {
        R::body_permit(self.http.state(), admission.admission.as_ref()?)
    }

    async fn answer<'a>(&'a self, request: &'a mut Self::Admission, body: LaneBody<'a>) -> LaneReply {
        let LaneAdmission { id, span, is_last, admission } = request;
        // The handle tells that a request is in progress.
        let in_progress = Arc::clone(self.http.connection());
        let state = self.http.state();
        let span = mem::replace(span, Span::none());
        let id = &*id;
        let reply = async {
            let answered = match admission {
                Some(admission) => AssertUnwindSafe(R::answer(state, id, admission, body)).catch_unwind().await.ok(),
                None => None,
            };
            let answer = answered.unwrap_or_else(|| {
                CommandAnswer::new(Err(problem::from_panic(id)), state.empty_sync_token.header_value())
            });
            traces::current().record("http.response.status_code", answer.status.as_u16());
            self.reply(answer, id, *is_last)
        };
        let reply = reply.instrument(span).await;
        drop(in_progress);
        reply
    }

    async fn call(&self, request: Request) -> Response {
        self.http.clone().call(request).await.unwrap_or_else(|never| match never {})
    }

    fn is_authenticated(&self) -> bool {
        self.http.connection().is_authenticated()
    }

    fn begin_large_reply(&self) -> impl LargeReply + Send + 'static {
        PendingReply::new(Arc::clone(self.http.connection()))
    }

    fn is_draining(&self) -> bool {
        self.http.state().is_draining()
    }
}

impl<R> CommandLane<R> {
    /// Writes an answer, with the fields that every response has.
    fn reply(&self, answer: CommandAnswer, id: &RequestId, is_last: bool) -> LaneReply {
        let CommandAnswer { status, fields, body, sync_token } = answer;
        let mut head = ReplyFields::new(status, body.memory.as_ref().map_or(body.bytes.len(), |_| 0));
        head.lines(b"content-type: application/json\r\ncache-control: no-store\r\n");
        head.fields(&fields);
        head.field(sync_token_header::NAME.as_str(), sync_token.as_bytes());
        head.field(request_id::NAME.as_str(), id.as_str().as_bytes());
        head.field(X_CONTENT_TYPE_OPTIONS.as_str(), NO_SNIFFING.as_bytes());
        if self.http.asks_for_https() {
            head.field(STRICT_TRANSPORT_SECURITY.as_str(), HTTPS_FOR_A_YEAR.as_bytes());
        }
        if is_last {
            head.field(CONNECTION.as_str(), b"close");
        }
        LaneReply::new(head, body.bytes, body.memory, is_last)
    }
}

impl LargeReply for PendingReply {
    fn advance(&self) {
        Self::advance(self);
    }
}
