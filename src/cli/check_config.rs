//! `cachefront check-config`: validates the configuration.

use super::{config_args::ConfigArgs, failure::Failure};
use crate::{server::Server, settings, types::error_chain};

/// Checks everything that `serve` checks before it opens a port, and prints a summary of the settings.
pub fn run(ConfigArgs { config }: &ConfigArgs) -> Result<(), Failure> {
    let settings = settings::load(config)
        .map_err(|problems| Failure::unloadable_settings(&problems.with_unreadable_files(), "--config"))?;
    let summary = settings.to_string();
    Server::new(settings)
        .map_err(|error| Failure::settings(format!("{}: {}", config.display(), error_chain(&error))))?;
    print!("{} is valid. The service would run with:\n\n{summary}", config.display());
    Ok(())
}
