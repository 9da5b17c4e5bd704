//! Builds everything from [`Settings`] and runs it until it is told to stop.

mod accept;
mod balance;
mod error;
mod listen;
mod reload;
mod serve;
mod shutdown;
mod store_config;
mod tasks;
mod tls;
mod workers;

pub use error::{BindError, Error, TlsError};
pub use listen::{Listeners, bind, bind_on};
pub use reload::ReloadTrigger;
pub use shutdown::{Shutdown, on_signals};
pub use store_config::store_config;

use crate::{
    admin::{self, console::Console},
    api,
    cache::NearValues,
    http::{AppState, KeySampler, Services},
    settings::{Settings, SettingsProblems},
    store::Store,
    telemetry::{events::EventKind, metrics::Metrics, traces::Traces},
};
use reload::{DrainConfig, LoadSettings, ReloadTargets, Reloader};
use std::{io, sync::Arc, time::Duration};
use tasks::Tasks;
use tls::Tls;
use tokio::{sync::watch, time::sleep};
use workers::Workers;

/// Chooses the one cryptography provider of the process. To be called before anything speaks TLS; a second call
/// changes nothing.
pub fn install_crypto() {
    let _installed = rustls::crypto::aws_lc_rs::default_provider().install_default();
}

/// Everything that is needed to serve, checked.
pub struct Server {
    settings: Settings,
    store: Store,
    near: Option<NearValues>,
    tls: Tls,
    metrics: Arc<Metrics>,
    traces: Traces,
    load: Option<LoadSettings>,
    reload: ReloadTrigger,
}

impl Server {
    /// Builds all parts from the settings; nothing is connected yet.
    pub fn new(settings: Settings) -> Result<Self, Error> {
        install_crypto();
        let metrics = Arc::<Metrics>::default();
        let tls = Tls::new(&settings.service, Arc::clone(&metrics))?;
        let near = NearValues::new(&settings);
        let on_invalidation = near.as_ref().map(NearValues::invalidation_handler);
        let store = Store::new(store_config(&settings), on_invalidation, Arc::clone(&metrics))?;
        let traces = Traces::default();
        Ok(Self { settings, store, near, tls, metrics, traces, load: None, reload: ReloadTrigger::default() })
    }

    /// Lets the service follow changes of its settings, which `load` reads anew.
    #[must_use]
    pub fn reloading(mut self, load: impl Fn() -> Result<Settings, SettingsProblems> + Send + Sync + 'static) -> Self {
        self.load = Some(Arc::new(load));
        self
    }

    /// Lets requests be traced.
    #[must_use]
    pub fn tracing(self, traces: Traces) -> Self {
        Self { traces, ..self }
    }

    pub fn service_settings(&self) -> &crate::settings::ServiceConfig {
        &self.settings.service
    }

    /// A handle on the store that the server will use.
    pub fn store(&self) -> Store {
        self.store.clone()
    }

    /// Asks for a reload, as SIGHUP does.
    pub fn reload(&self) -> ReloadTrigger {
        self.reload.clone()
    }

    /// Serves until `stop` says so, then lets requests in flight finish.
    pub async fn run(self, listeners: Listeners, stop: Shutdown) -> io::Result<()> {
        let Self { settings, store, near, tls, metrics, traces, load, reload } = self;
        for notice in &settings.warnings {
            tracing::warn!("{notice}");
        }
        let (key_sampler, sampled_keys) = KeySampler::new(settings.service.key_patterns);
        let services = Services { store: store.clone(), near, metrics, traces: traces.clone(), key_sampler };
        let reloadable =
            reload::reloadable_state(&settings, &services.store, services.near.as_ref(), &services.metrics, None);
        let app = Arc::new(AppState::new(services, reloadable));
        let console = Arc::new(Console::new(Arc::clone(&app), settings.service.key_patterns, sampled_keys));
        let api = api::service(Arc::clone(&app));
        let workers = Workers::start(listeners.service.len())?;
        let places = workers.handles();
        // They are set once: a service runs once.
        let _first = app.metrics.workers.set(places.clone());
        let service = serve::service(&settings.service, listeners.service, tls.current(), &api, &app.metrics);
        let admin = admin::service(Arc::clone(&app), Arc::clone(&console));
        let admin = serve::admin(&settings.service, listeners.admin, admin, &app.metrics);
        let drain = watch::Sender::new(DrainConfig::new(&settings.service));
        let asked_drain = drain.subscribe();

        let mut tasks = Tasks::default();
        tasks.background("store", store.clone().run(places.clone()));
        let handles: Vec<_> = service.iter().map(|serving| serving.handle.clone()).collect();
        for (serving, place) in service.into_iter().zip(&places) {
            tasks.serving("service", place, serving.run);
        }
        tasks.background("console", console.run());
        tasks.background("admin", async { drop(admin.run.await) });
        tasks.background("traces", traces.clone().export());
        if let Some(load) = load {
            let followers = ReloadTargets { app: Arc::clone(&app), store, tls, drain };
            tasks.background("reload", Reloader::new(load, reload, settings, followers)?.run());
        }
        tracing::info!(version = env!("CARGO_PKG_VERSION"), address = %listeners.service_address, admin = %listeners.admin_address, "serving");
        app.metrics.events.record(EventKind::Started, format!("version {} serves", env!("CARGO_PKG_VERSION")));

        let outcome = tokio::select! {
            () = stop.requested() => Ok(()),
            ended = tasks.first_to_end() => Err(ended),
        };
        app.start_draining();
        app.metrics
            .events
            .record(EventKind::Draining, "told to stop: requests in flight finish, new ones should go elsewhere");
        let drain = *asked_drain.borrow();
        let outcome = match outcome {
            Ok(()) => serve_on(drain.wait, &stop, &mut tasks).await,
            failed => failed,
        };
        tracing::info!("stopping: requests in flight may finish");
        // The admin port stays, so that whoever looks sees why no new connection is taken.
        for handle in &handles {
            handle.graceful_shutdown(Some(drain.limit));
        }
        tokio::select! {
            () = async {
                tasks.wait_for_serving().await;
                traces.flush().await;
            } => tracing::info!("stopped"),
            () = stop.forced() => tracing::warn!("stopped at once"),
        }
        // Connections to Redis end only here, with the store's task: what was in flight needed them.
        tasks.abort();
        drop(workers);
        outcome
    }
}

/// Gives those who send requests here time to see that this instance is going.
async fn serve_on(wait: Duration, stop: &Shutdown, tasks: &mut Tasks) -> io::Result<()> {
    if wait.is_zero() {
        return Ok(());
    }
    tracing::info!(wait_secs = wait.as_secs(), "stopping: not ready any more, but serving until others know");
    tokio::select! {
        () = sleep(wait) => Ok(()),
        () = stop.forced() => Ok(()),
        ended = tasks.first_to_end() => Err(ended),
    }
}
