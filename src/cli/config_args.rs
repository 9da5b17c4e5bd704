//! The argument that names the settings file.

use super::failure::Failure;
use crate::{
    server::Server,
    settings::{self, Settings},
    types::error_chain,
};
use clap::Args;
use std::path::PathBuf;

/// The argument `--config` of every command that reads the settings.
#[derive(Args, Clone)]
pub struct ConfigArgs {
    /// Read the settings from this file; `CACHEFRONT__SECTION__OPTION` in the environment overrides its options
    #[arg(long, value_name = "FILE", default_value = "config/setup.config")]
    pub config: PathBuf,
}

impl ConfigArgs {
    /// Loads the settings of the file for a server. The failure also has the problems with the server's own files, which
    /// other commands do not need.
    pub fn load_for_server(&self) -> Result<Settings, Failure> {
        settings::load_for_server(&self.config).map_err(|problems| Failure::unloadable_settings(&problems, "--config"))
    }

    /// Builds the server of these settings; nothing is opened yet.
    pub fn server(&self, settings: Settings) -> Result<Server, Failure> {
        Server::new(settings)
            .map_err(|error| Failure::settings(format!("{}: {}", self.config.display(), error_chain(&error))))
    }

    /// Loads the settings of the file.
    pub fn load(&self) -> Result<Settings, Failure> {
        settings::load(&self.config).map_err(|problems| Failure::unloadable_settings(&problems, "--config"))
    }
}
