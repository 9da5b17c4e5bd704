//! What the handlers share.

use super::{body::Limits, budget::Budget, failure_log::FailureLog};
use crate::{auth::Auth, cache::Cache, settings::Settings, store::Store};
use std::{
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    time::Duration,
};

/// No login comes near this many bytes.
const LOGIN_BODY_BYTES_MAX: usize = 4 * 1024;
/// Memory for the bodies of all logins together.
const LOGIN_BYTES_MAX: usize = 8 * 1024 * 1024;

pub struct App {
    pub auth: Auth,
    pub cache: Cache,
    pub deadline: Duration,
    pub requests_max: usize,
    body_bytes_max: usize,
    bodies_bytes_max: usize,
    body_memory: Budget,
    /// Apart from the others', so that strangers can't take what callers need.
    login_memory: Budget,
    /// Requests to `/cache` that are being worked on.
    pub requests: Budget,
    pub failures: FailureLog,
    draining: AtomicBool,
    /// Every shard has been reachable at one time: what was configured exists.
    complete_once: AtomicBool,
}

impl App {
    pub fn new(settings: &Settings, store: Store) -> Self {
        Self {
            auth: Auth::new(&settings.auth),
            cache: Cache::new(settings, store),
            deadline: settings.service.deadline,
            requests_max: settings.service.requests_max,
            body_bytes_max: settings.service.body_bytes_max,
            bodies_bytes_max: settings.service.bodies_bytes_max,
            body_memory: Budget::default(),
            login_memory: Budget::default(),
            requests: Budget::default(),
            failures: FailureLog::default(),
            draining: AtomicBool::new(false),
            complete_once: AtomicBool::new(false),
        }
    }

    /// What the bodies of commands may take.
    pub fn body_limits(&self) -> Limits<'_> {
        Limits { bytes_max: self.body_bytes_max, memory: &self.body_memory, memory_bytes_max: self.bodies_bytes_max }
    }

    /// What the bodies of logins may take.
    pub fn login_limits(&self) -> Limits<'_> {
        Limits { bytes_max: LOGIN_BODY_BYTES_MAX, memory: &self.login_memory, memory_bytes_max: LOGIN_BYTES_MAX }
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
