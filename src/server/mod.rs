//! Builds all parts from [`Settings`] and runs them until a shutdown is requested.

mod accept_loop;
mod connection_counters;
mod connection_limit;
mod error;
mod file_limit;
mod idle_timeout;
mod listen;
mod movable;
mod part_config;
mod plain_http;
mod proxy_protocol;
mod reload;
mod running;
mod serve;
mod shared_listener;
mod shutdown;
mod stable_load;
mod tasks;
mod tls;
mod worker_balance;
mod worker_lanes;
mod workers;

pub use error::{BindError, Error, ReloadError, TlsError};
pub use listen::{Listeners, bind, bind_on};
pub use part_config::store_config;
pub use reload::ReloadTrigger;
pub use shutdown::{Shutdown, on_signals};

use crate::{
    admin::{self, console::Console},
    api::{self, ApiOptions},
    cache::NearValues,
    http::{AllowedHosts, AppState, KeySampler, Services},
    settings::{Settings, SettingsProblems},
    store::Store,
    telemetry::{events::EventKind, metrics::Metrics, traces::Traces},
};
use file_limit::ConnectionBudget;
use part_config::{DrainConfig, reloadable_state};
use reload::{LoadSettings, ReloadTargets, Reloader};
use running::RunningServer;
use std::{io, sync::Arc};
use tasks::Tasks;
use tls::Tls;
use tokio::sync::watch;
use worker_balance::WorkerBalance;
use workers::Workers;

/// Installs the cryptography provider of the process, before anything uses TLS. A second call changes nothing.
pub fn install_crypto() {
    let _installed = rustls::crypto::aws_lc_rs::default_provider().install_default();
}

/// A server whose parts are built and checked. It does not run yet.
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
    pub fn new(mut settings: Settings) -> Result<Self, Error> {
        install_crypto();
        let metrics = Arc::<Metrics>::default();
        let (tls, certificate_warnings) = Tls::new(&settings.service, Arc::clone(&metrics))?;
        settings.warnings.extend(certificate_warnings);
        metrics.certificates.redis_client.set(settings.redis_client_validity());
        let near = NearValues::new(&settings.near_cache);
        let on_invalidation = near.as_ref().map(NearValues::invalidation_handler);
        let store = Store::new(store_config(&settings), on_invalidation, Arc::clone(&metrics))?;
        let traces = Traces::default();
        Ok(Self { settings, store, near, tls, metrics, traces, load: None, reload: ReloadTrigger::default() })
    }

    /// Makes the service follow changes of its settings, which `load` reads again.
    #[must_use]
    pub fn reloading(mut self, load: impl Fn() -> Result<Settings, SettingsProblems> + Send + Sync + 'static) -> Self {
        self.load = Some(Arc::new(load));
        self
    }

    /// Makes the service export traces of requests.
    #[must_use]
    pub fn tracing(self, traces: Traces) -> Self {
        Self { traces, ..self }
    }

    /// Returns the settings, whose warnings now have those about certificate and key.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Returns a handle on the store that the server uses.
    pub fn store(&self) -> Store {
        self.store.clone()
    }

    /// Returns the trigger of reloads.
    pub fn reload(&self) -> ReloadTrigger {
        self.reload.clone()
    }

    /// Serves until a shutdown is requested, then lets requests in flight finish.
    pub async fn run(self, listeners: Listeners, shutdown: Shutdown) -> io::Result<()> {
        self.start(listeners)?.wait(&shutdown).await
    }

    /// Starts workers, servers and background tasks.
    fn start(self, listeners: Listeners) -> io::Result<RunningServer> {
        let Self { settings, store, near, tls, metrics, traces, load, reload } = self;
        for warning in &settings.warnings {
            tracing::warn!("{warning}");
        }
        let budget = ConnectionBudget::new(&settings);
        let (key_sampler, sampled_keys) = KeySampler::new(settings.service.key_patterns);
        let services = Services { store: store.clone(), near, metrics, traces: traces.clone(), key_sampler };
        let reloadable = reloadable_state(&settings, &services.store, services.near.as_ref(), &services.metrics, None);
        let app = Arc::new(AppState::new(services, reloadable));
        let console = Arc::new(Console::new(Arc::clone(&app), settings.service.key_patterns, sampled_keys));
        let workers = Workers::start(listeners.service.len())?;
        let runtimes = workers.handles();
        // The handles are set only here, because a server runs only once.
        let _first = app.metrics.workers.set(runtimes.clone());
        let options = ApiOptions { docs: settings.service.docs, hsts: settings.service.hsts };
        let api = api::service(Arc::clone(&app), options);
        let stop = Shutdown::default();
        let balance = WorkerBalance::new(listeners.service.len());
        let servers =
            serve::service(&settings.service, listeners.service, tls.current(), &api, budget.service, &balance, &stop);
        let hosts = AllowedHosts::new(&settings.service.admin_hosts);
        let admin = admin::service(Arc::clone(&app), Arc::clone(&console), hosts);
        let admin_server = serve::admin(&settings.service, listeners.admin, admin, budget.admin);
        let (drain_sender, drain) = watch::channel(DrainConfig::new(&settings.service));

        let mut tasks = Tasks::default();
        tasks.background("store", store.clone().run(runtimes.clone()));
        tasks.background("inspection", store.clone().run_inspection());
        for (server, runtime) in servers.into_iter().zip(&runtimes) {
            tasks.serving("service", runtime, server);
        }
        tasks.background("balance", balance.run(runtimes));
        tasks.background("console", console.run());
        tasks.background("admin", async { drop(admin_server.await) });
        tasks.background("traces", traces.clone().export());
        if let Some(load) = load {
            let targets = ReloadTargets { app: Arc::clone(&app), store, tls, drain: drain_sender };
            tasks.background("reload", Reloader::new(load, reload, settings, targets)?.run());
        }
        let (version, address, admin) = (env!("CARGO_PKG_VERSION"), listeners.service_address, listeners.admin_address);
        tracing::info!(version, %address, %admin, "serving HTTPS on {address}, and the admin port on {admin}");
        app.metrics.events.record(EventKind::Started, format!("version {version} serves"));
        Ok(RunningServer { app, drain, stop, tasks, workers, traces })
    }
}
