//! `POST /cache`: the command protocol.
//!
//! A request is admitted (caller, media type), its body is read, a slot is reserved, and each command is parsed,
//! permitted, run and answered. The store is not asked before the body is there.

mod admission;
mod answer;
mod batch;
mod request_context;

pub use answer::SPAN;

use super::schemas;
use crate::http::{
    AppState, BodyPermit, ClientConnection, CommandAnswer, Exchange, HeadFields, HotRoute, RequestId, ResponseFuture,
    body::{BodyHead, IncomingBody, RequestBody},
};
use admission::Admission;
use answer::answer;
use axum::{
    Extension,
    body::Body,
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use futures_util::FutureExt;
use std::{
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::{Arc, Weak},
};

/// The path of this endpoint.
pub const PATH: &str = "/cache";

/// Runs one command, or a batch of them.
///
/// A batch is answered with HTTP 200 and a reply to each command, in order. A command that fails does not fail the others.
#[utoipa::path(
    post, path = "/cache", operation_id = "runCommands", tag = "cache", security(("oauth2" = []), ("token" = [])),
    params(
        ("cache-sync-token" = Option<String>, Header, nullable = false, pattern = r"^[0-9a-f]{1,16}\.[0-9a-f]{1,16}\.[0-9a-f]{1,16}$", description = "The token of an earlier response, from any instance. Reads then show at least everything that the bearer of that token had changed by then. Every response has one."),
        ("request-timeout-ms" = Option<u128>, Header, nullable = false, minimum = 1, description = "Milliseconds after which the caller does not wait any more. Shortens the deadline of the service (`REQUEST_DEADLINE_MS`) for this request, and never lengthens it."),
    ),
    request_body(content = schemas::RequestSchema, description = "One command, or an array of up to 1,000"),
    responses(
        (status = 200, description = "The reply, or for a batch an array of replies in order. A key that does not exist is `NOT_FOUND`.", body = schemas::ResponseSchema),
    )
)]
pub async fn cache(
    State(state): State<Arc<AppState>>,
    Extension(id): Extension<RequestId>,
    Extension(connection): Extension<Weak<ClientConnection>>,
    request: Request,
) -> Response {
    let admission = Admission::of(&state, &connection.upgrade().unwrap_or_default(), request.headers());
    respond(state, id, admission, incoming(request)).await
}

/// Answers a request that did not pass the router.
pub fn direct(exchange: Exchange, request: Request) -> ResponseFuture {
    // Admitted before the future exists: the future does not hold the head of the request, and further requests that
    // arrived with this one find the connection authenticated.
    let admitted = catch_unwind(AssertUnwindSafe(|| {
        let admission = Admission::of(&exchange.state, &exchange.connection, request.headers());
        (admission, incoming(request))
    }));
    match admitted {
        Ok((admission, mut body)) => {
            if exchange.is_crowded && admission.admitted.is_err() {
                // The body is not read: its request would be one too many in progress.
                body.body = Body::empty();
            }
            let handler = respond(Arc::clone(&exchange.state), exchange.id.clone(), admission, body);
            exchange.respond(handler)
        }
        Err(panic) => exchange.respond(async { resume_unwind(panic) }),
    }
}

/// Drops the head of a request.
fn incoming(request: Request) -> IncomingBody {
    IncomingBody { head: BodyHead::of(request.headers()), body: request.into_body() }
}

fn respond(
    state: Arc<AppState>,
    id: RequestId,
    admission: Admission,
    body: IncomingBody,
) -> impl Future<Output = Response> + Send {
    // A combinator rather than an async block, which would hold a second copy of the admission.
    answer(state, id, admission, body).map(IntoResponse::into_response)
}

/// The requests to this endpoint in the lane.
pub struct CommandRoute;

impl HotRoute for CommandRoute {
    // Clients log in on the connection that they use afterwards.
    const REQUEST_LINES: &'static [&'static str] = &["POST /cache HTTP/1.1\r\n", "POST /login HTTP/1.1\r\n"];
    const SPAN: &'static str = SPAN;
    type Admission = Admission;

    fn admit(state: &AppState, connection: &ClientConnection, fields: &impl HeadFields) -> Admission {
        Admission::of(state, connection, fields)
    }

    fn body_permit<'a>(state: &'a AppState, admission: &'a Admission) -> Option<BodyPermit<'a>> {
        let (caller, _) = admission.admitted.as_ref().ok()?;
        Some(state.body_permit(&admission.reloadable, caller))
    }

    fn answer(
        state: &AppState,
        id: &RequestId,
        admission: &mut Admission,
        body: impl RequestBody,
    ) -> impl Future<Output = CommandAnswer> + Send {
        answer(state, id, admission, body)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn future_bytes<F: Future>(_: impl Fn(Arc<AppState>, RequestId, Admission, IncomingBody) -> F) -> usize {
        size_of::<F>()
    }

    #[test]
    fn the_future_of_a_request_is_small() {
        let bytes = future_bytes(respond);
        assert!(bytes <= 3072, "{bytes} bytes are moved and allocated for each request");
    }
}
