//! What a reload of the settings exchanges as a whole.

use crate::{
    auth::Auth,
    cache::{Cache, NearValues},
    settings::Settings,
    store::Store,
    telemetry::metrics::Metrics,
};
use std::{sync::Arc, time::Duration};

pub struct ReloadableState {
    pub auth: Auth,
    pub cache: Cache,
    pub deadline: Duration,
    pub requests_max: usize,
    pub body_bytes_max: usize,
    pub bodies_bytes_max: usize,
}

impl ReloadableState {
    pub fn new(
        settings: &Settings,
        store: Store,
        near: Option<NearValues>,
        metrics: &Arc<Metrics>,
        before: Option<&Self>,
    ) -> Self {
        Self {
            auth: Auth::new(&settings.auth, before.map(|before| &before.auth), Arc::clone(metrics)),
            cache: Cache::new(settings, store, near, Arc::clone(metrics)),
            deadline: settings.service.deadline,
            requests_max: settings.service.requests_max,
            body_bytes_max: settings.service.body_bytes_max,
            bodies_bytes_max: settings.service.bodies_bytes_max,
        }
    }
}
