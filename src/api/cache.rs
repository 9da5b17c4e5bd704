//! `POST /cache`: the command protocol.
//!
//! A request is admitted (caller, media type), its body is read, a slot is reserved, and each command is parsed,
//! permitted, run and answered. The store is not asked before the body is there.

mod admission;
mod batch;
mod request_context;

use super::{
    command::{self, CommandBody},
    schemas,
};
use crate::{
    auth::Caller,
    http::{
        AppState, BodyPermit, ClientConnection, CommandAnswer, Exchange, HeadFields, HotRoute, Json, Problem,
        ReloadableState, RequestId, RequestOrigin, ResponseFuture, SyncTokenHeader,
        body::{BodyHead, IncomingBody, RequestBody},
        request_metrics,
    },
    telemetry::{
        RequestTimer,
        metrics::{Kind, Outcome, Shed},
        traces,
    },
    types::Deadline,
};
use admission::Admission;
use axum::{
    Extension,
    body::Body,
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use futures_util::FutureExt;
use request_context::RequestContext;
use std::{
    borrow::Borrow,
    ops::Deref,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::{Arc, Weak},
    time::Duration,
};

/// The path of this endpoint.
pub const PATH: &str = "/cache";
/// The name of the span of its requests.
pub const SPAN: &str = "POST /cache";

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
    const REQUEST_LINE: &'static str = "POST /cache HTTP/1.1\r\n";
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
        admission: Admission,
        body: impl RequestBody,
    ) -> impl Future<Output = CommandAnswer> + Send {
        answer(state, id, admission, body)
    }
}

/// Reads the body of a request, if it was admitted, and runs its commands.
async fn answer(
    state: impl Deref<Target = AppState> + Send,
    id: impl Borrow<RequestId> + Send,
    admission: Admission,
    body: impl RequestBody,
) -> CommandAnswer {
    let (state, id) = (&*state, id.borrow());
    let Admission { reloadable, peer, started, mut sync_token, admitted } = admission;
    let mut timer = state.metrics.requests.start_at(started, Kind::Unparsed);
    let origin = RequestOrigin { endpoint: SPAN, id, peer };
    let served = match admitted {
        Ok((caller, timeout)) => {
            let request = AdmittedRequest { state, reloadable: &reloadable, origin, caller: &caller, timeout };
            let served = request.serve(body, &mut sync_token, &mut timer).await;
            served.map_err(|problem| problem.of_client(caller.client_id()))
        }
        Err(problem) => {
            body.discard().await;
            Err(problem)
        }
    };
    let served = served.inspect_err(|problem| {
        state.failures.count(problem.code());
        state.failures.record(problem, origin);
        timer.outcome = problem.outcome();
        if timer.kind == Kind::Unparsed {
            timer.kind = request_metrics::kind(problem);
        }
    });
    CommandAnswer::new(served, sync_token.into_response_value(&state.store, &state.empty_sync_token))
}

/// A request whose caller is known.
struct AdmittedRequest<'a> {
    state: &'a AppState,
    reloadable: &'a ReloadableState,
    origin: RequestOrigin<'a>,
    caller: &'a Caller,
    /// The time that its commands may take.
    timeout: Duration,
}

impl AdmittedRequest<'_> {
    async fn serve(
        self,
        body: impl RequestBody,
        sync_token: &mut SyncTokenHeader,
        timer: &mut RequestTimer<'_>,
    ) -> Result<Json, Problem> {
        let Self { state, reloadable, origin, caller, timeout } = self;
        let memory = state.body_permit(reloadable, caller);
        let body = body.read(reloadable.config.body_bytes_max, memory).await;
        let body = body.inspect_err(|problem| request_metrics::count_shed(state, problem, Shed::Memory))?;
        // Reserved only now, so that slow senders hold no slot.
        let mut slot = state.requests.permit();
        slot.reserve(1, reloadable.config.requests_max)
            .inspect_err(|problem| request_metrics::count_shed(state, problem, Shed::Requests))?;
        let context = RequestContext {
            state,
            reloadable,
            cache: &reloadable.cache,
            origin,
            caller,
            freshness: sync_token.freshness(&state.store),
            deadline: Deadline::within(timeout),
        };
        match command::parse_body(body.bytes.as_ref()).map_err(|problem| context.count_malformed(problem))? {
            CommandBody::Single(text) => context.run_single(sync_token, timer, text).await,
            CommandBody::Batch(items) => {
                timer.kind = Kind::Batch;
                traces::current().record("batch_size", items.len());
                // Boxed, so that single commands do not carry the memory of a batch.
                let reply = Box::pin(context.run_batch(sync_token, &items)).await?;
                timer.outcome = Outcome::Success;
                Ok(reply)
            }
        }
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
        assert!(bytes <= 4096, "{bytes} bytes are moved and allocated for each request");
    }
}
