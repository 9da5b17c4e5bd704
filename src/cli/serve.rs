//! `cachefront serve`

use super::Failure;
use crate::{
    server::{self, Server},
    settings, telemetry,
};
use std::path::Path;

pub fn run(config: &Path) -> Result<(), Failure> {
    let settings = settings::load(config).map_err(Failure::settings)?;
    telemetry::start(&settings.service);
    let service = Server::new(settings).map_err(Failure::settings)?;
    let listeners = server::bind(service.service_settings()).map_err(Failure::general)?;
    let runtime = tokio::runtime::Runtime::new().map_err(Failure::general)?;
    runtime
        .block_on(async {
            let stop = server::on_signals()?;
            service.run(listeners, stop).await
        })
        .map_err(Failure::general)
}
