//! What the handlers share.

use super::{body::Memory, failure_log::FailureLog, sync};
use crate::{auth::Auth, cache::Cache, settings::Settings, store::Store};
use axum::http::HeaderValue;
use std::{
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    time::Duration,
};

/// Memory for the bodies of all logins together.
const LOGIN_BYTES_MAX: usize = 8 * 1024 * 1024;

pub struct App {
    pub auth: Auth,
    pub cache: Cache,
    pub deadline: Duration,
    pub body_bytes_max: usize,
    pub body_memory: Memory,
    /// Apart from the others', so that strangers can't take what callers need.
    pub login_memory: Memory,
    pub failures: FailureLog,
    /// What callers get that have changed nothing.
    pub empty_sync_token: HeaderValue,
    draining: AtomicBool,
    /// Every shard has been reachable at one time: what was configured exists.
    complete_once: AtomicBool,
}

impl App {
    pub fn new(settings: &Settings, store: Store) -> Self {
        Self {
            empty_sync_token: sync::value(&store.empty_sync_token()),
            auth: Auth::new(&settings.auth),
            cache: Cache::new(settings, store),
            deadline: settings.service.deadline,
            body_bytes_max: settings.service.body_bytes_max,
            body_memory: Memory::new(settings.service.bodies_bytes_max),
            login_memory: Memory::new(LOGIN_BYTES_MAX),
            failures: FailureLog::default(),
            draining: AtomicBool::new(false),
            complete_once: AtomicBool::new(false),
        }
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
