//! Builds everything from [`Settings`] and runs it until it is told to stop.

mod accept;
mod listen;
mod serve;
mod signals;
mod tasks;
mod tls;

pub use listen::{Listeners, bind, bind_on};
pub use signals::{Stop, on_signals};

use crate::{
    api::{self, App},
    settings::Settings,
    store::Store,
};
use axum_server::tls_rustls::RustlsConfig;
use std::{io, sync::Arc};
use tasks::Tasks;
use tokio::time::sleep;

/// Chooses the one cryptography provider of the process. To be called before anything speaks TLS; a second call
/// changes nothing.
pub fn install_crypto() {
    let _installed = rustls::crypto::aws_lc_rs::default_provider().install_default();
}

/// Everything that is needed to serve, checked.
pub struct Server {
    settings: Settings,
    store: Store,
    tls: RustlsConfig,
}

impl Server {
    /// Builds what the settings describe; the error is one sentence about a certificate or key.
    pub fn new(settings: Settings) -> Result<Self, String> {
        install_crypto();
        let tls = RustlsConfig::from_config(Arc::new(tls::config(&settings.service)?));
        let store = Store::new(&settings)?;
        Ok(Self { settings, store, tls })
    }

    pub fn service_settings(&self) -> &crate::settings::Service {
        &self.settings.service
    }

    /// A handle on the store that the server will use.
    pub fn store(&self) -> Store {
        self.store.clone()
    }

    /// Serves until `stop` says so, then lets requests in flight finish.
    pub async fn run(self, listeners: Listeners, stop: Stop) -> io::Result<()> {
        for notice in &self.settings.notices {
            tracing::warn!("{notice}");
        }
        let app = Arc::new(App::new(&self.settings, self.store.clone()));
        let service =
            serve::service(&self.settings.service, listeners.service, self.tls, api::router(Arc::clone(&app)))?;
        let admin = serve::admin(&self.settings.service, listeners.admin, api::admin_router(Arc::clone(&app)))?;
        let service_handle = service.handle.clone();

        let mut tasks = Tasks::default();
        tasks.background("store", self.store.maintain());
        tasks.serving("service", service.run);
        tasks.background("admin", async { drop(admin.run.await) });
        tracing::info!(version = env!("CARGO_PKG_VERSION"), address = %listeners.service_address, admin = %listeners.admin_address, "serving");

        let mut outcome = tokio::select! {
            () = stop.asked() => Ok(()),
            ended = tasks.first_to_end() => Err(ended),
        };
        app.start_draining();
        let wait = self.settings.service.drain_wait;
        if outcome.is_ok() && !wait.is_zero() {
            tracing::info!(wait_secs = wait.as_secs(), "stopping: not ready any more, but serving until others know");
            outcome = tokio::select! {
                () = sleep(wait) => Ok(()),
                () = stop.insisted() => Ok(()),
                ended = tasks.first_to_end() => Err(ended),
            };
        }
        tracing::info!("stopping: requests in flight may finish");
        // The admin port stays, so that whoever looks sees why no new connection is taken.
        service_handle.graceful_shutdown(Some(self.settings.service.drain));
        tokio::select! {
            () = tasks.served() => tracing::info!("stopped"),
            () = stop.insisted() => tracing::warn!("stopped at once"),
        }
        // Connections to Redis end only here, with the store's task: what was in flight needed them.
        tasks.end();
        outcome
    }
}
