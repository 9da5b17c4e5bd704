//! `POST /cache`: the command protocol.

use super::{
    command::{self, Body},
    reply, schemas,
};
use crate::{
    auth::Caller,
    cache::{Cache, CacheError, Command},
    http::{
        AppState, Exchange, Problem, RequestId, ResponseFuture, SyncTokenHeader, authorization,
        body::{self, Media},
        json, request_metrics,
    },
    store::Freshness,
    telemetry::{
        metrics::{Kind, Outcome, RequestTimer, Shed},
        traces,
    },
    types::Deadline,
};
use axum::{
    Extension,
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use serde_json::value::RawValue;
use std::sync::Arc;

pub const PATH: &str = "/cache";
/// Room for a short reply, so that its buffer is allocated once.
const REPLY_BYTES: usize = 256;

/// Runs one command, or a batch of them.
#[utoipa::path(
    post, path = "/cache", tag = "cache", security(("token" = [])),
    params(("cache-sync-token" = Option<String>, Header, description = "The token of an earlier answer, from whichever instance: reads then show what had been changed by then. Every answer has one.")),
    request_body(content = schemas::Commands, description = "One command, or an array of up to 1,000"),
    responses(
        (status = 200, description = "The reply; of a batch, an array of replies in order. A key that is not there is `NOT_FOUND`.", body = schemas::Replies),
        (status = 400, description = "Malformed: says what and where", body = schemas::Error),
        (status = 401, description = "No token, or one that is not valid (any more)", body = schemas::Error),
        (status = 403, description = "The token lacks the permission", body = schemas::Error),
        (status = 409, description = "READ of a key that holds a Redis list, hash or other structure", body = schemas::Error),
        (status = 413, description = "Body or value too large", body = schemas::Error),
        (status = 429, description = "Rate limit; `Retry-After` says when", body = schemas::Error),
        (status = 503, description = "The shard is unavailable; `Retry-After` says when to try again", body = schemas::Error),
        (status = 504, description = "The deadline passed", body = schemas::Error),
        (status = 507, description = "Redis is out of memory", body = schemas::Error),
    )
)]
pub async fn cache(
    State(state): State<Arc<AppState>>,
    Extension(id): Extension<RequestId>,
    request: Request,
) -> Response {
    let mut measured = state.metrics.requests.start(Kind::Unparsed);
    let mut sync = SyncTokenHeader::default();
    let mut response = run(&state, &id, &mut sync, &mut measured, request).await.unwrap_or_else(|problem| {
        problem.log(&state.failures, &id);
        measured.outcome = problem.outcome();
        if measured.kind == Kind::Unparsed {
            measured.kind = request_metrics::kind_of(&problem);
        }
        problem.into_response()
    });
    sync.write(response.headers_mut(), &state.store, &state.empty_sync_token);
    response
}

/// Answers a request that was not routed by the router.
pub fn direct(exchange: Exchange, request: Request) -> ResponseFuture {
    let handler = cache(State(Arc::clone(&exchange.state)), Extension(exchange.id.clone()), request);
    exchange.respond(handler)
}

async fn run(
    state: &AppState,
    id: &RequestId,
    sync: &mut SyncTokenHeader,
    measured: &mut RequestTimer<'_>,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let live = state.reloadable();
    let admitted =
        authorization::caller(&live.auth, &parts.headers).and_then(|caller| match body::media(&parts.headers) {
            Media::Json => sync.read(&parts.headers, &state.store).map(|freshness| (caller, freshness)),
            Media::Form | Media::Other => Err(body::unsupported_media()),
        });
    let (caller, freshness) = match admitted {
        Ok(admitted) => admitted,
        Err(problem) => {
            Box::pin(body::discard(&parts.headers, body)).await;
            return Err(problem);
        }
    };
    let body = body::read(&parts.headers, body, &state.body_limits(&live)).await;
    let body = body.inspect_err(|problem| request_metrics::shed(state, problem, Shed::Memory))?;
    // Only now, so that slow senders hold no place.
    let mut place = state.requests.permit();
    place.reserve(1, live.requests_max).inspect_err(|problem| request_metrics::shed(state, problem, Shed::Requests))?;
    let deadline = Deadline::within(live.deadline);
    let asked = RequestContext { state, cache: &live.cache, id, caller: &caller, freshness, deadline };
    match command::parse_body(&body.bytes)? {
        Body::One(text) => asked.one(sync, measured, text).await,
        // Apart, so that single commands do not carry the room for it.
        Body::Batch(items) => {
            measured.kind = Kind::Batch;
            traces::current().record("batch_size", items.len());
            let answer = Box::pin(asked.batch(sync, &items)).await;
            measured.outcome = Outcome::Success;
            Ok(answer)
        }
    }
}

/// What a request's commands have in common.
struct RequestContext<'a> {
    state: &'a AppState,
    cache: &'a Cache,
    id: &'a RequestId,
    caller: &'a Caller,
    freshness: Freshness,
    deadline: Deadline,
}

impl RequestContext<'_> {
    async fn one(
        &self,
        sync: &mut SyncTokenHeader,
        measured: &mut RequestTimer<'_>,
        text: &str,
    ) -> Result<Response, Problem> {
        let command = permitted(self.caller, command::parse(text))?;
        self.state.key_sampler.sample(command.key(), self.caller.namespace());
        measured.kind = request_metrics::kind(&command);
        if command.is_change() {
            sync.changes();
        }
        let answer = self.cache.run(&command, self.caller.namespace(), self.freshness, self.deadline).await;
        let reply = answer.map_err(|error| self.failure(error, &command))?;
        measured.outcome = request_metrics::outcome(&command, &reply);
        let mut out = Vec::with_capacity(REPLY_BYTES);
        reply::write(&mut out, &command, &reply);
        Ok(json::response(out))
    }

    /// Every item has its own reply, in order; a failed item does not fail its neighbours.
    async fn batch(&self, sync: &mut SyncTokenHeader, items: &[&RawValue]) -> Response {
        let Self { state, id, caller, .. } = self;
        let requests = &state.metrics.requests;
        let mut commands = Vec::with_capacity(items.len());
        let parsed: Vec<Result<(), Problem>> = items
            .iter()
            .map(|item| permitted(caller, command::parse(item.get())).map(|command| commands.push(command)))
            .collect();
        for command in &commands {
            state.key_sampler.sample(command.key(), caller.namespace());
        }
        if commands.iter().any(Command::is_change) {
            sync.changes();
        }
        let replies = self.cache.batch(&commands, caller.namespace(), self.freshness, self.deadline).await;

        let mut answered = commands.iter().zip(replies);
        let mut out = Vec::with_capacity(REPLY_BYTES * items.len());
        out.push(b'[');
        for (position, outcome) in parsed.into_iter().enumerate() {
            if position > 0 {
                out.push(b',');
            }
            let reply = outcome.map(|()| answered.next().expect("each permitted command has a reply"));
            match reply {
                Ok((command, Ok(reply))) => {
                    requests.count_in_batch(request_metrics::kind(command), request_metrics::outcome(command, &reply));
                    reply::write(&mut out, command, &reply);
                }
                Ok((command, Err(error))) => fail(state, id, &self.failure(error, command), &mut out),
                Err(problem) => fail(state, id, &problem, &mut out),
            }
        }
        out.push(b']');
        json::response(out)
    }

    /// What the caller sees of a failure.
    fn failure(&self, error: CacheError, command: &Command<'_>) -> Problem {
        let problem = Problem::from(error).of(command::name(command));
        request_metrics::shed(self.state, &problem, Shed::Node);
        problem
    }
}

fn fail(state: &AppState, id: &RequestId, problem: &Problem, out: &mut Vec<u8>) {
    state.metrics.requests.count_in_batch(request_metrics::kind_of(problem), problem.outcome());
    problem.log(&state.failures, id);
    problem.write(out);
}

/// The command, if the caller may run it now.
fn permitted<'a>(caller: &Caller, parsed: Result<Command<'a>, Problem>) -> Result<Command<'a>, Problem> {
    let command = parsed?;
    caller.permit(command.scope()).map_err(|refusal| Problem::from(refusal).of(command::name(&command)))?;
    Ok(command)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes_of<F: Future>(_: impl Fn(State<Arc<AppState>>, Extension<RequestId>, Request) -> F) -> usize {
        size_of::<F>()
    }

    #[test]
    fn what_a_request_carries_through_its_waits_is_small() {
        let bytes = bytes_of(cache);
        assert!(bytes <= 4096, "{bytes} bytes are moved and allocated for each request");
    }
}
