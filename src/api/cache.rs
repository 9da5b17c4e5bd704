//! `POST /cache`: the command protocol.
//!
//! A request is admitted (caller, media type), its body is read, a slot is reserved, and each command is parsed,
//! permitted, run and answered. The store is not asked before the body is there.

mod batch;
mod request_context;

use super::{
    command::{self, CommandBody},
    schemas,
};
use crate::{
    auth::Caller,
    http::{
        self, AppState, ClientConnection, Exchange, Problem, ReloadableState, RequestId, RequestOrigin, ResponseFuture,
        SyncTokenHeader, authorization,
        body::{self, BodyHead, MediaType},
        request_metrics,
    },
    telemetry::{
        RequestTimer,
        metrics::{Kind, Outcome, Shed},
        traces,
    },
    types::{Deadline, WorkerArc},
};
use axum::{
    Extension,
    body::Body,
    extract::{Request, State},
    http::HeaderMap,
    response::{IntoResponse, Response},
};
use request_context::RequestContext;
use std::{
    net::IpAddr,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::{Arc, Weak},
    time::Duration,
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
    let (admission, sync_token) = Admission::of(&state, &connection.upgrade().unwrap_or_default(), request);
    respond(state, id, admission, sync_token).await
}

/// Answers a request that did not pass the router.
pub fn direct(exchange: Exchange, request: Request) -> ResponseFuture {
    // Admitted before the future exists: the future does not hold the head of the request, and further requests that
    // arrived with this one find the connection authenticated.
    let admitted = catch_unwind(AssertUnwindSafe(|| Admission::of(&exchange.state, &exchange.connection, request)));
    match admitted {
        Ok((mut admission, sync_token)) => {
            if exchange.is_crowded && admission.admitted.is_err() {
                // The body is not read: its request would be one too many in progress.
                admission.body = Body::empty();
            }
            let handler = respond(Arc::clone(&exchange.state), exchange.id.clone(), admission, sync_token);
            exchange.respond(handler)
        }
        Err(panic) => exchange.respond(async { resume_unwind(panic) }),
    }
}

async fn respond(
    state: Arc<AppState>,
    id: RequestId,
    admission: Admission,
    mut sync_token: SyncTokenHeader,
) -> Response {
    let mut timer = state.metrics.requests.start(Kind::Unparsed);
    let Admission { reloadable, head, body, peer, admitted } = admission;
    let origin = RequestOrigin { endpoint: "POST /cache", id: &id, peer };
    let served = match admitted {
        Ok((caller, timeout)) => {
            let request = AdmittedRequest { state: &state, reloadable: &reloadable, origin, caller: &caller, timeout };
            let served = request.serve(head, body, &mut sync_token, &mut timer).await;
            served.map_err(|problem| problem.of_client(caller.client_id()))
        }
        Err(problem) => {
            Box::pin(body::discard(head, body)).await;
            Err(problem)
        }
    };
    let mut response = served.unwrap_or_else(|problem| {
        state.failures.count(problem.code());
        state.failures.record(&problem, origin);
        timer.outcome = problem.outcome();
        if timer.kind == Kind::Unparsed {
            timer.kind = request_metrics::kind(&problem);
        }
        problem.into_response()
    });
    sync_token.write(response.headers_mut(), &state.store, &state.empty_sync_token);
    response
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
        head: BodyHead,
        body: Body,
        sync_token: &mut SyncTokenHeader,
        timer: &mut RequestTimer<'_>,
    ) -> Result<Response, Problem> {
        let Self { state, reloadable, origin, caller, timeout } = self;
        let memory = state.body_permit(reloadable, caller);
        let body = body::read(head, body, reloadable.config.body_bytes_max, memory).await;
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
        match command::parse_body(&body.bytes).map_err(|problem| context.count_malformed(problem))? {
            CommandBody::Single(text) => context.run_single(sync_token, timer, text).await,
            CommandBody::Batch(items) => {
                timer.kind = Kind::Batch;
                traces::current().record("batch_size", items.len());
                // Boxed, so that single commands do not carry the memory of a batch.
                let response = Box::pin(context.run_batch(sync_token, &items)).await?;
                timer.outcome = Outcome::Success;
                Ok(response)
            }
        }
    }
}

/// A request whose head was read and dropped.
struct Admission {
    reloadable: WorkerArc<ReloadableState>,
    head: BodyHead,
    body: Body,
    /// The address that the request came from.
    peer: Option<IpAddr>,
    /// The caller and the time that its commands may take, or the reason why the body is not read.
    admitted: Result<(Caller, Duration), Problem>,
}

impl Admission {
    /// Reads the head of a request. A caller with a valid token authenticates the connection.
    fn of(state: &AppState, connection: &ClientConnection, request: Request) -> (Self, SyncTokenHeader) {
        let (parts, body) = request.into_parts();
        let reloadable = state.reloadable();
        let mut sync_token = SyncTokenHeader::default();
        let admitted = admit(&reloadable, connection, &parts.headers, &mut sync_token);
        let (head, peer) = (BodyHead::of(&parts.headers), connection.peer());
        (Self { reloadable, head, body, peer, admitted }, sync_token)
    }
}

/// Decides by its head whether a request is read. Returns its caller, and the time that its commands may take.
fn admit(
    reloadable: &ReloadableState,
    connection: &ClientConnection,
    headers: &HeaderMap,
    sync_token: &mut SyncTokenHeader,
) -> Result<(Caller, Duration), Problem> {
    let caller = authorization::caller(&reloadable.auth, headers)?;
    connection.authenticate();
    match time_to_serve(reloadable, headers, sync_token) {
        Ok(timeout) => Ok((caller, timeout)),
        Err(problem) => Err(problem.of_client(caller.client_id())),
    }
}

/// Reads the other headers of a request. Returns the time that its commands may take.
fn time_to_serve(
    reloadable: &ReloadableState,
    headers: &HeaderMap,
    sync_token: &mut SyncTokenHeader,
) -> Result<Duration, Problem> {
    let media_type = MediaType::of(headers);
    if media_type != MediaType::Json {
        return Err(body::unsupported(media_type));
    }
    sync_token.parse(headers)?;
    http::request_timeout(headers, reloadable.config.deadline)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn future_bytes<F: Future>(_: impl Fn(Arc<AppState>, RequestId, Admission, SyncTokenHeader) -> F) -> usize {
        size_of::<F>()
    }

    #[test]
    fn the_future_of_a_request_is_small() {
        let bytes = future_bytes(respond);
        assert!(bytes <= 4096, "{bytes} bytes are moved and allocated for each request");
    }
}
