//! Settings that changed take effect while the service runs: on SIGHUP, when asked, or when one of their files changed.
//!
//! Files are compared by what they hold, again and again. Notifications of the file system would tell earlier, but
//! not on network file systems, and not reliably where links are swapped, as Kubernetes does.

use super::{
    store_config::store_config,
    tls::{PreparedTls, Tls},
};
use crate::{
    auth::Auth,
    cache::{Cache, NearValues},
    http::{self, AppState, ReloadableState},
    settings::{EffectiveSettings, OptionChange, ServiceConfig, Settings, SettingsProblems, WatchedFiles},
    store::Store,
    telemetry::{self, events::EventKind, metrics},
    types::error_chain,
};
use std::{io, sync::Arc, time::Duration};
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::{Notify, watch},
    task::spawn_blocking,
    time::{sleep, timeout},
};

/// A change counts once nothing more has changed for so long: a file that is half written may look sound.
const SETTLE: Duration = Duration::from_millis(200);
/// So often at most, lest a file that never rests put a reload off for ever.
const SETTLE_LOOKS_MAX: usize = 50;
/// Reading a few small files takes longer only where the file system hangs.
const READ_TIMEOUT: Duration = Duration::from_secs(30);

/// Asks for a reload. A clone is a handle on the same service.
#[derive(Clone, Default)]
pub struct ReloadTrigger(Arc<Notify>);

impl ReloadTrigger {
    pub fn request(&self) {
        self.0.notify_one();
    }
}

/// Reads the settings anew, from where they came the first time.
pub type LoadSettings = Arc<dyn Fn() -> Result<Settings, SettingsProblems> + Send + Sync>;

/// How to stop.
#[derive(Clone, Copy)]
pub struct DrainConfig {
    pub wait: Duration,
    pub limit: Duration,
}

impl DrainConfig {
    pub fn new(service: &ServiceConfig) -> Self {
        Self { wait: service.drain_wait, limit: service.drain }
    }
}

/// What follows the settings.
pub struct ReloadTargets {
    pub app: Arc<AppState>,
    pub store: Store,
    pub tls: Tls,
    pub drain: watch::Sender<DrainConfig>,
}

pub struct Reloader {
    load: LoadSettings,
    asked: ReloadTrigger,
    hangups: Signal,
    targets: ReloadTargets,
    /// What the service goes by; of what cannot change live, as it was at the start.
    settings: Settings,
    /// At the start.
    first: EffectiveSettings,
    /// The files as they were when they were last loaded.
    seen: WatchedFiles,
    /// What waits for the next start, as was said last.
    waiting: Vec<String>,
}

impl Reloader {
    /// `settings` are those that the service started with.
    pub fn new(
        load: LoadSettings,
        asked: ReloadTrigger,
        settings: Settings,
        followers: ReloadTargets,
    ) -> io::Result<Self> {
        let (first, seen) = (settings.effective.clone(), settings.files.clone());
        let hangups = signal(SignalKind::hangup())?;
        Ok(Self { load, asked, hangups, targets: followers, settings, first, seen, waiting: Vec::new() })
    }

    /// Follows changes until it is dropped.
    pub async fn run(mut self) {
        loop {
            let every = self.settings.service.reload_every;
            let asked = tokio::select! {
                () = self.asked.0.notified() => true,
                Some(()) = self.hangups.recv() => true,
                () = sleep(every), if !every.is_zero() => false,
            };
            if asked || self.have_files_changed().await.unwrap_or(false) {
                self.reload().await;
            }
        }
    }

    /// Whether a file changed since the last loading; returns when they rest. `None`: nobody can tell.
    async fn have_files_changed(&self) -> Option<bool> {
        let look = |files: WatchedFiles| run_blocking(move || files.reread());
        let mut now = look(self.seen.clone()).await?;
        if now == self.seen {
            return Some(false);
        }
        for _ in 0..SETTLE_LOOKS_MAX {
            sleep(SETTLE).await;
            let next = look(now.clone()).await?;
            if next == now {
                break;
            }
            now = next;
        }
        Some(now != self.seen)
    }

    /// Loads and checks everything. All of it takes effect, or, with a word in the log, nothing.
    async fn reload(&mut self) {
        let (load, tls, seen) = (Arc::clone(&self.load), self.targets.tls.clone(), self.seen.clone());
        let loaded = run_blocking(move || {
            // Files that only the settings before this one named are watched on: this one may be a mistake.
            let before = seen.reread();
            match load() {
                Ok(settings) => {
                    let prepared = tls.prepare(&settings.service);
                    let files = settings.files.clone();
                    (files, prepared.map(|prepared| (settings, prepared)).map_err(|error| error_chain(&error)))
                }
                Err(problems) => (problems.files.clone().and(before), Err(problems.to_string())),
            }
        });
        let Some((files, loaded)) = loaded.await else { return };
        self.seen = files;
        let applied = loaded.and_then(|(settings, tls)| self.apply(settings, tls));
        let counted = &self.targets.app.metrics.settings;
        counted.record_reload(if applied.is_ok() {
            metrics::ReloadOutcome::Applied
        } else {
            metrics::ReloadOutcome::Refused
        });
        if let Err(problem) = applied {
            tracing::warn!(problem, "the changed settings are not used; the service goes on with those it has");
            let text = "changed settings are not used, for there is something wrong with them; the log says what";
            self.targets.app.metrics.events.record(EventKind::ReloadRefused, text);
        }
    }

    fn apply(&mut self, mut settings: Settings, tls: PreparedTls) -> Result<(), String> {
        // How to reach Redis stays as it was at the start, so that old and new nodes are reached alike.
        std::mem::swap(&mut self.settings.redis, &mut settings.redis);
        if let Err(error) = self.targets.store.apply(store_config(&settings)) {
            std::mem::swap(&mut self.settings.redis, &mut settings.redis);
            return Err(error_chain(&error));
        }
        // Nothing can fail any more. What callers see first comes last.
        self.targets.drain.send_replace(DrainConfig::new(&settings.service));
        self.targets.tls.exchange(tls);
        let app = &self.targets.app;
        let before = app.reloadable();
        app.reload(reloadable_state(&settings, &app.store, app.near.as_ref(), &app.metrics, Some(&before)));
        app.traces.set_sample_ratio(settings.telemetry.sample_ratio);
        let before = std::mem::replace(&mut self.settings, settings);
        self.log_changes(&before);
        telemetry::set_level(&self.settings.service);
        Ok(())
    }

    /// Says what changed, by name; values may be secrets.
    fn log_changes(&mut self, before: &Settings) {
        let places = |changes: Vec<OptionChange>, live: bool| -> Vec<String> {
            changes.into_iter().filter(|change| change.live == live).map(|change| change.location).collect()
        };
        let changed = places(before.effective.changes(&self.settings.effective), true);
        if changed.is_empty() {
            tracing::info!("settings read again: nothing changed that takes effect now");
        } else {
            tracing::info!(changed = changed.join(", "), "settings reloaded");
            let text = format!("settings took effect: {}", changed.join(", "));
            self.targets.app.metrics.events.record(EventKind::ReloadApplied, text);
        }
        let waiting = places(self.first.changes(&self.settings.effective), false);
        if !waiting.is_empty() && waiting != self.waiting {
            tracing::warn!(changed = waiting.join(", "), "takes effect at the next start");
        }
        self.waiting = waiting;
        for notice in self.settings.warnings.iter().filter(|notice| !before.warnings.contains(notice)) {
            tracing::warn!("{notice}");
        }
    }
}

/// Builds the state that a reload replaces. Clients of `before` that still exist keep the count of their commands.
pub fn reloadable_state(
    settings: &Settings,
    store: &Store,
    near: Option<&NearValues>,
    metrics: &Arc<metrics::Metrics>,
    before: Option<&ReloadableState>,
) -> ReloadableState {
    ReloadableState {
        auth: Auth::new(&settings.auth, before.map(|before| &before.auth), Arc::clone(metrics)),
        cache: Cache::new(settings, store.clone(), near.cloned(), Arc::clone(metrics)),
        config: http::Config::from(&settings.service),
    }
}

/// Runs what may block where it may. A hanging file system is waited for: a second attempt would only hang, too.
/// `None` if it hit a defect, which does not end a service that runs well on the settings that it has.
async fn run_blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let mut work = spawn_blocking(work);
    let done = if let Ok(done) = timeout(READ_TIMEOUT, &mut work).await {
        done
    } else {
        tracing::warn!("reading the settings takes long; changes of them wait for it");
        work.await
    };
    done.inspect_err(|error| tracing::error!(%error, "reading the settings failed")).ok()
}
