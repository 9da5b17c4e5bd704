//! `cachefront serve`

use super::{Failure, notify};
use crate::{
    server::{self, Server, Shutdown},
    settings, telemetry,
};
use std::{path::Path, time::Duration};

/// For what still runs when the service has stopped.
const LAST_WAIT: Duration = Duration::from_secs(1);

pub fn run(config: &Path) -> Result<(), Failure> {
    let settings = settings::load(config).map_err(Failure::settings)?;
    let traces = telemetry::start(&settings);
    let path = config.to_owned();
    let service = Server::new(settings).map_err(Failure::settings)?;
    let service = service.tracing(traces).reloading(move || settings::load(&path));
    let listeners = server::bind(service.service_settings()).map_err(Failure::general)?;
    let runtime = super::background_runtime()?;
    let outcome = runtime.block_on(async {
        let stop = server::on_signals()?;
        notify::say(notify::READY);
        tokio::select! {
            // Else the service could be done before that is said.
            biased;
            never = tell_of_the_end(&stop) => never,
            outcome = service.run(listeners, stop.clone()) => outcome,
        }
    });
    // A look at the settings' files that hangs with its file system must not hold up the end.
    runtime.shutdown_timeout(LAST_WAIT);
    outcome.map_err(Failure::general)
}

/// Tells systemd when the end begins.
async fn tell_of_the_end<T>(stop: &Shutdown) -> T {
    stop.requested().await;
    notify::say(notify::STOPPING);
    std::future::pending().await
}
