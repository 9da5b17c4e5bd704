//! `cachefront serve`

use super::Failure;
use crate::{
    server::{self, Server},
    settings, telemetry,
};
use std::{path::Path, time::Duration};

/// For what still runs when the service has stopped.
const LAST_WAIT: Duration = Duration::from_secs(1);

pub fn run(config: &Path) -> Result<(), Failure> {
    let settings = settings::load(config).map_err(Failure::settings)?;
    telemetry::start(&settings.service);
    let path = config.to_owned();
    let service = Server::new(settings).map_err(Failure::settings)?.reloading(move || settings::load(&path));
    let listeners = server::bind(service.service_settings()).map_err(Failure::general)?;
    let runtime = tokio::runtime::Runtime::new().map_err(Failure::general)?;
    let outcome = runtime.block_on(async {
        let stop = server::on_signals()?;
        service.run(listeners, stop).await
    });
    // A look at the settings' files that hangs with its file system must not hold up the end.
    runtime.shutdown_timeout(LAST_WAIT);
    outcome.map_err(Failure::general)
}
