//! The answer to a request, for either way that it came.

use super::{admission::Admission, request_context::RequestContext};
use crate::{
    api::command::{self, CommandBody},
    auth::Caller,
    http::{
        AppState, CommandAnswer, Json, Problem, ReloadableState, RequestId, RequestOrigin, SyncTokenHeader,
        body::RequestBody, request_metrics,
    },
    telemetry::{
        RequestTimer,
        metrics::{Kind, Outcome, Shed},
        traces,
    },
    types::Deadline,
};
use std::{
    borrow::{Borrow, BorrowMut},
    ops::Deref,
    time::Duration,
};

/// The name of the span of a request.
pub const SPAN: &str = "POST /cache";

/// Reads the body of a request, if it was admitted, and runs its commands.
pub async fn answer(
    state: impl Deref<Target = AppState> + Send,
    id: impl Borrow<RequestId> + Send,
    mut admission: impl BorrowMut<Admission> + Send,
    body: impl RequestBody,
) -> CommandAnswer {
    let (state, id) = (&*state, id.borrow());
    let Admission { reloadable, peer, started, sync_token, admitted } = admission.borrow_mut();
    let mut timer = state.metrics.requests.start_at(*started, Kind::Unparsed);
    let origin = RequestOrigin { endpoint: SPAN, id, peer: *peer };
    let served = match admitted {
        Ok((caller, timeout)) => {
            let request = AdmittedRequest { state, reloadable, origin, caller, timeout: *timeout };
            let served = request.serve(body, sync_token, &mut timer).await;
            served.map_err(|problem| problem.of_client(caller.client_id()))
        }
        Err(problem) => {
            body.discard().await;
            Err(problem.clone())
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
    CommandAnswer::new(served, sync_token.response_value(&state.store, &state.empty_sync_token))
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
