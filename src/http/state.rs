//! What the handlers share.

use super::{
    body::BodyLimits, failure_log::FailureLog, key_sampler::KeySampler, limit::ResourceLimit,
    reloadable::ReloadableState, sync_token_header,
};
use crate::{
    cache::NearValues,
    settings::Settings,
    store::Store,
    telemetry::{
        metrics::{Metrics, MetricsWriter, names},
        traces::Traces,
    },
};
use arc_swap::ArcSwap;
use axum::http::HeaderValue;
use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

/// No login comes near this many bytes.
const LOGIN_BODY_BYTES_MAX: usize = 4 * 1024;
/// Memory for the bodies of all logins together.
const LOGIN_BYTES_MAX: usize = 8 * 1024 * 1024;

/// The state that the handlers of both ports share.
pub struct AppState {
    reloadable: ArcSwap<ReloadableState>,
    pub store: Store,
    pub near: Option<NearValues>,
    body_memory: ResourceLimit,
    /// Apart from the others', so that strangers can't take what callers need.
    login_memory: ResourceLimit,
    /// Requests to `/cache` that are being worked on.
    pub requests: ResourceLimit,
    pub failures: FailureLog,
    pub metrics: Arc<Metrics>,
    pub traces: Traces,
    /// Samples keys for the console.
    pub key_sampler: KeySampler,
    /// What callers get that have changed nothing.
    pub empty_sync_token: HeaderValue,
    draining: AtomicBool,
    /// Every shard has been reachable at one time: what was configured exists.
    complete_once: AtomicBool,
}

impl AppState {
    pub fn new(
        settings: &Settings,
        store: Store,
        near: Option<NearValues>,
        metrics: Arc<Metrics>,
        traces: Traces,
        key_sampler: KeySampler,
    ) -> Self {
        Self {
            empty_sync_token: sync_token_header::header_value(&store.empty_sync_token()),
            reloadable: ArcSwap::from_pointee(ReloadableState::new(
                settings,
                store.clone(),
                near.clone(),
                &metrics,
                None,
            )),
            store,
            near,
            body_memory: ResourceLimit::default(),
            login_memory: ResourceLimit::default(),
            requests: ResourceLimit::default(),
            failures: FailureLog::default(),
            metrics,
            traces,
            key_sampler,
            draining: AtomicBool::new(false),
            complete_once: AtomicBool::new(false),
        }
    }

    /// What can change while requests run. Each request takes it once, so that it sees one state all through.
    pub fn reloadable(&self) -> Arc<ReloadableState> {
        self.reloadable.load_full()
    }

    /// Lets other settings count from the next request on. To be called by one task only.
    pub fn apply(&self, settings: &Settings) {
        let before = self.reloadable();
        let next = ReloadableState::new(settings, self.store.clone(), self.near.clone(), &self.metrics, Some(&before));
        self.reloadable.store(Arc::new(next));
        self.traces.set_sample_ratio(settings.telemetry.sample_ratio);
        if let Some(near) = &self.near {
            near.clear();
        }
    }

    /// What the bodies of commands may take.
    pub fn body_limits(&self, live: &ReloadableState) -> BodyLimits<'_> {
        BodyLimits {
            bytes_max: live.body_bytes_max,
            memory: &self.body_memory,
            memory_bytes_max: live.bodies_bytes_max,
        }
    }

    /// What the bodies of logins may take.
    pub fn login_limits(&self) -> BodyLimits<'_> {
        BodyLimits { bytes_max: LOGIN_BODY_BYTES_MAX, memory: &self.login_memory, memory_bytes_max: LOGIN_BYTES_MAX }
    }

    /// Writes what requests take of what there is.
    pub fn write_metrics(&self, page: &mut MetricsWriter<'_>) -> fmt::Result {
        let live = self.reloadable();
        page.gauge(&names::IN_PROGRESS, [([], self.requests.in_use())])?;
        page.gauge(&names::REQUESTS_MAX, [([], live.requests_max)])?;
        page.gauge(&names::BODY_MEMORY, [([], self.body_memory.in_use())])?;
        page.gauge(&names::BODY_MEMORY_MAX, [([], live.bodies_bytes_max)])?;
        self.traces.write_metrics(page)?;
        self.near.as_ref().map_or(Ok(()), |near| near.write_metrics(page))
    }

    /// From now on `/readyz` says no, so that no new callers are sent here.
    pub fn start_draining(&self) {
        self.draining.store(true, Relaxed);
    }

    pub fn is_draining(&self) -> bool {
        self.draining.load(Relaxed)
    }

    /// Notes whether all shards are reachable now; tells whether they all were at any time.
    pub fn complete_once(&self, complete_now: bool) -> bool {
        if complete_now {
            self.complete_once.store(true, Relaxed);
        }
        complete_now || self.complete_once.load(Relaxed)
    }
}
