//! Reloading: changed settings take effect while the service runs. A reload happens on SIGHUP, on request, or when a
//! file of the settings changed.
//!
//! The contents of the files are compared at intervals. Notifications of the file system would be faster, but they do
//! not work on network file systems, and not reliably where links are swapped, as Kubernetes does.

use super::{
    error::ReloadError,
    part_config::{DrainConfig, reloadable_state, store_config},
    stable_load::{LoadedWithFiles, load_until_stable, reread},
    tls::{PreparedTls, Tls},
};
use crate::{
    http::AppState,
    settings::{EffectiveSettings, OptionChange, Settings, SettingsProblems, WatchedFiles},
    store::Store,
    telemetry::{self, events::EventKind, metrics},
    types::error_chain,
};
use std::{io, sync::Arc};
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::{Notify, watch},
    time::sleep,
};

/// The request to reload. Clones share it.
#[derive(Clone, Default)]
pub struct ReloadTrigger(Arc<Notify>);

impl ReloadTrigger {
    /// Requests a reload, as SIGHUP does.
    pub fn request(&self) {
        self.0.notify_one();
    }
}

/// Loads the settings again from their original sources.
pub type LoadSettings = Arc<dyn Fn() -> Result<Settings, SettingsProblems> + Send + Sync>;

/// The parts of the service that a reload changes.
pub struct ReloadTargets {
    /// The state of the handlers.
    pub app: Arc<AppState>,
    /// The shards.
    pub store: Store,
    /// The certificate.
    pub tls: Tls,
    /// The times of a graceful shutdown.
    pub drain: watch::Sender<DrainConfig>,
}

/// The background task that reloads the settings.
pub struct Reloader {
    load: LoadSettings,
    trigger: ReloadTrigger,
    hangups: Signal,
    targets: ReloadTargets,
    /// The current settings. Options that cannot change live have their values from the start.
    settings: Settings,
    /// The effective values at the start.
    initial: EffectiveSettings,
    /// The files with their content at the last load.
    files: WatchedFiles,
    /// The changes that wait for the next start, as they were last logged.
    waiting: Vec<String>,
}

impl Reloader {
    /// Starts with the settings that the service was built from.
    pub fn new(
        load: LoadSettings,
        trigger: ReloadTrigger,
        settings: Settings,
        targets: ReloadTargets,
    ) -> io::Result<Self> {
        let (initial, files) = (settings.effective.clone(), settings.files.clone());
        let hangups = signal(SignalKind::hangup())?;
        Ok(Self { load, trigger, hangups, targets, settings, initial, files, waiting: Vec::new() })
    }

    /// Reloads on each request and each change, for ever.
    pub async fn run(mut self) {
        loop {
            let interval = self.settings.service.reload_every;
            let requested = tokio::select! {
                () = self.trigger.0.notified() => true,
                Some(()) = self.hangups.recv() => true,
                () = sleep(interval), if !interval.is_zero() => false,
            };
            if requested || reread(self.files.clone()).await.is_some_and(|now| now != self.files) {
                self.reload().await;
            }
        }
    }

    /// Loads and checks the settings. Either all changes take effect, or the log says why none does.
    async fn reload(&mut self) {
        let (load, tls) = (Arc::clone(&self.load), self.targets.tls.clone());
        let stable = load_until_stable(self.files.clone(), move |watched| load_and_prepare(&load, &tls, watched));
        let Some((files, loaded)) = stable.await else { return };
        self.files = files;
        let applied = loaded.and_then(|(settings, tls)| self.apply(settings, tls));
        let counted = &self.targets.app.metrics.settings;
        counted.record_reload(if applied.is_ok() {
            metrics::ReloadOutcome::Applied
        } else {
            metrics::ReloadOutcome::Refused
        });
        if let Err(error) = applied {
            let problem = error_chain(&error);
            tracing::warn!(
                problem,
                "the changed settings are invalid and are not used; the service keeps its settings"
            );
            let text = "changed settings are invalid and not used; the log has the problems";
            self.targets.app.metrics.events.record(EventKind::ReloadRefused, text);
        }
    }

    /// Applies checked settings to all parts.
    fn apply(&mut self, mut settings: Settings, mut tls: PreparedTls) -> Result<(), ReloadError> {
        settings.warnings.append(&mut tls.warnings);
        if settings.sealing.missing_file.is_some() && !self.settings.sealing.keys.is_empty() {
            return Err(ReloadError::SealingKeyMissing);
        }
        // The connection settings of Redis stay those of the start, so that they are the same for old and new nodes.
        std::mem::swap(&mut self.settings.redis, &mut settings.redis);
        if let Err(error) = self.targets.store.apply(store_config(&settings)) {
            std::mem::swap(&mut self.settings.redis, &mut settings.redis);
            return Err(error.into());
        }
        // Nothing can fail from here on. The parts that callers notice first come last.
        self.targets.drain.send_replace(DrainConfig::new(&settings.service));
        self.targets.tls.exchange(tls);
        self.targets.app.metrics.certificates.redis_client.set(settings.redis_client_validity());
        let app = &self.targets.app;
        let before = app.reloadable();
        app.reload(reloadable_state(&settings, &app.store, app.near.as_ref(), &app.metrics, Some(&before)));
        app.traces.set_sample_ratio(settings.telemetry.sample_ratio);
        let before = std::mem::replace(&mut self.settings, settings);
        self.log_changes(&before);
        telemetry::set_level(&self.settings.service);
        Ok(())
    }

    /// Logs the names of the changed options; their values may be secrets.
    fn log_changes(&mut self, before: &Settings) {
        let changed = locations(before.effective.changes(&self.settings.effective), true);
        if changed.is_empty() {
            tracing::info!("the settings were read again; nothing changed that takes effect now");
        } else {
            let changed = changed.join(", ");
            tracing::info!(changed, "settings reloaded: {changed}");
            let text = format!("settings took effect: {changed}");
            self.targets.app.metrics.events.record(EventKind::ReloadApplied, text);
        }
        let waiting = locations(self.initial.changes(&self.settings.effective), false);
        if !waiting.is_empty() && waiting != self.waiting {
            let changed = waiting.join(", ");
            tracing::warn!(changed, "the change of {changed} takes effect at the next start");
        }
        self.waiting = waiting;
        for warning in self.settings.warnings.iter().filter(|warning| !before.warnings.contains(warning)) {
            tracing::warn!("{warning}");
        }
    }
}

/// Returns the locations of the changes that are live, or of those that are not.
fn locations(changes: Vec<OptionChange>, live: bool) -> Vec<String> {
    changes.into_iter().filter(|change| change.live == live).map(|change| change.location).collect()
}

/// Loads the settings and prepares their certificate.
fn load_and_prepare(
    load: &LoadSettings,
    tls: &Tls,
    watched: &WatchedFiles,
) -> LoadedWithFiles<(Settings, PreparedTls)> {
    // After a failure the files of the earlier settings stay watched: the change that removed them may be a mistake.
    let before = watched.reread();
    match load() {
        Ok(settings) if !settings.file_ends_its_last_line => (settings.files, Err(ReloadError::IncompleteFile)),
        Ok(settings) => {
            let files = settings.files.clone();
            let prepared = tls.prepare(&settings.service);
            (files, prepared.map(|prepared| (settings, prepared)).map_err(ReloadError::from))
        }
        Err(problems) => (problems.files.clone().and(before), Err(problems.into())),
    }
}
