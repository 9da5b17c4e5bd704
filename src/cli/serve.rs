//! `cachefront serve`: runs the service until SIGTERM or Ctrl-C.

use super::{config_args::ConfigArgs, failure::Failure, runtime, systemd};
use crate::{
    server::{self, Shutdown},
    settings, telemetry,
};
use std::time::Duration;

/// Time for blocking work that still runs when the service has stopped.
const LAST_WAIT: Duration = Duration::from_secs(1);

/// Serves with the settings of the file that the arguments name.
pub fn run(args: &ConfigArgs) -> Result<(), Failure> {
    let settings = args.load_for_server()?;
    let traces = telemetry::start(&settings);
    let path = args.config.clone();
    let server = args.server(settings)?;
    let server = server.tracing(traces).reloading(move || settings::load_for_server(&path));
    let listeners = server::bind(&server.settings().service).map_err(Failure::caused)?;
    let runtime = runtime::background()?;
    let outcome = runtime.block_on(async {
        let shutdown = server::on_signals()?;
        systemd::notify(systemd::READY);
        tokio::select! {
            // In this order, the state is sent even where the service stops at once.
            biased;
            never = notify_of_the_end(&shutdown) => never,
            outcome = server.run(listeners, shutdown.clone()) => outcome,
        }
    });
    // A read of a settings file that hangs with its file system does not delay the end.
    runtime.shutdown_timeout(LAST_WAIT);
    outcome.map_err(Failure::general)
}

/// Notifies systemd when the shutdown begins; never returns.
async fn notify_of_the_end<T>(shutdown: &Shutdown) -> T {
    shutdown.requested().await;
    systemd::notify(systemd::STOPPING);
    std::future::pending().await
}
