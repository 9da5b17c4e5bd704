//! The state that the handlers of both ports share.

use super::{
    body_memory::{BodyMemory, BodyPermit},
    failure_log::FailureLog,
    key_sampler::KeySampler,
    reloadable::ReloadableState,
    resource_limit::ResourceLimit,
    sync_token_header::EmptySyncToken,
    unfinished_logins::UnfinishedLogins,
};
use crate::{
    auth::Caller,
    cache::NearValues,
    store::Store,
    telemetry::{
        metrics::{Metrics, MetricsWriter, names},
        traces::Traces,
    },
    types::{ReplyBytes, ReplyLimits, ReplyMemory, WorkerArc, WorkerSwap},
};
use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

/// The parts of the process that handlers use.
pub struct Services {
    /// The store.
    pub store: Store,
    /// The near cache, where it is enabled.
    pub near: Option<NearValues>,
    /// The counters of this service.
    pub metrics: Arc<Metrics>,
    /// The traces of this process.
    pub traces: Traces,
    /// Samples keys for the console.
    pub key_sampler: KeySampler,
}

/// The state that the handlers of both ports share.
pub struct AppState {
    /// The store.
    pub store: Store,
    /// The near cache, where it is enabled.
    pub near: Option<NearValues>,
    /// The counters of this service.
    pub metrics: Arc<Metrics>,
    /// The traces of this process.
    pub traces: Traces,
    /// Samples keys for the console.
    pub key_sampler: KeySampler,
    /// The log of failed requests.
    pub failures: FailureLog,
    /// The requests to `/cache` that are running.
    pub requests: ResourceLimit,
    /// The sync token of callers that have changed nothing.
    pub empty_sync_token: EmptySyncToken,
    reloadable: WorkerSwap<ReloadableState>,
    body_memory: BodyMemory,
    /// The bytes of the replies that are made or sent.
    reply_bytes: Arc<ReplyBytes>,
    /// The logins whose body has not arrived. They are separate from the memory of other bodies, so that callers
    /// without a token cannot exhaust that.
    pub unfinished_logins: UnfinishedLogins,
    draining: AtomicBool,
    /// Every shard has been reachable at some time, so that the configured nodes are known to exist.
    complete_once: AtomicBool,
}

impl AppState {
    /// Creates the state of a service that begins to serve.
    pub fn new(services: Services, reloadable: ReloadableState) -> Self {
        let Services { store, near, metrics, traces, key_sampler } = services;
        Self {
            empty_sync_token: EmptySyncToken::new(&store),
            store,
            near,
            metrics,
            traces,
            key_sampler,
            failures: FailureLog::default(),
            requests: ResourceLimit::default(),
            reloadable: WorkerSwap::new(reloadable),
            body_memory: BodyMemory::default(),
            unfinished_logins: UnfinishedLogins::default(),
            reply_bytes: Arc::default(),
            draining: AtomicBool::new(false),
            complete_once: AtomicBool::new(false),
        }
    }

    /// Returns the state that a reload replaces. To be called once for each request.
    pub fn reloadable(&self) -> WorkerArc<ReloadableState> {
        self.reloadable.load()
    }

    /// Replaces the reloadable state, which takes effect with the next request. Empties the near cache if the keys that
    /// opened its values have changed. To be called by one task only.
    pub fn reload(&self, next: ReloadableState) {
        let before = self.reloadable.load();
        self.reloadable.store(next);
        if let Some(near) = &self.near
            && !self.reloadable.load().cache.shares_opened_values(&before.cache)
        {
            near.clear();
        }
    }

    /// Returns a permit for the body of a caller's request.
    pub fn body_permit<'b>(&'b self, reloadable: &ReloadableState, caller: &'b Caller) -> BodyPermit<'b> {
        let client_bytes = reloadable.auth.has_several_clients().then(|| caller.body_bytes());
        self.body_memory.permit(reloadable.config.bodies_max, client_bytes)
    }

    /// Returns the memory for the reply to a request of this caller.
    pub fn reply_memory<'a>(&'a self, reloadable: &ReloadableState, caller: &'a Caller) -> ReplyMemory<'a> {
        let bytes_max = reloadable.config.replies_bytes_max;
        // One client alone needs no protection from others.
        let client_bytes_max = if reloadable.auth.has_several_clients() { bytes_max / 2 } else { bytes_max };
        ReplyMemory::new(ReplyLimits {
            process: &self.reply_bytes,
            process_bytes_max: bytes_max,
            client: caller.reply_bytes(),
            client_bytes_max,
        })
    }

    /// Writes the use of the limits, and the metrics of traces and the near cache.
    pub fn write_metrics(&self, page: &mut MetricsWriter<'_>) -> fmt::Result {
        let config = self.reloadable().config;
        page.gauge(&names::IN_PROGRESS, [([], self.requests.in_use())])?;
        page.gauge(&names::REQUESTS_MAX, [([], config.requests_max)])?;
        page.gauge(&names::BODY_MEMORY, [([], self.body_memory.in_use())])?;
        page.gauge(&names::BODY_MEMORY_MAX, [([], config.bodies_max.all())])?;
        page.gauge(&names::REPLY_MEMORY, [([], self.reply_bytes.in_use())])?;
        page.gauge(&names::REPLY_MEMORY_MAX, [([], config.replies_bytes_max)])?;
        self.failures.write_metrics(page)?;
        self.traces.write_metrics(page)?;
        self.near.as_ref().map_or(Ok(()), |near| near.write_metrics(page))
    }

    /// Makes `/readyz` fail from now on, so that no new callers are sent to this instance.
    pub fn start_draining(&self) {
        self.draining.store(true, Relaxed);
    }

    /// Returns true once [`Self::start_draining`] was called.
    pub fn is_draining(&self) -> bool {
        self.draining.load(Relaxed)
    }

    /// Records whether all shards are reachable now, and returns true if they were at any time.
    pub fn complete_once(&self, complete_now: bool) -> bool {
        if complete_now {
            self.complete_once.store(true, Relaxed);
        }
        complete_now || self.complete_once.load(Relaxed)
    }
}
