//! The argument that names the settings file.

use super::failure::Failure;
use crate::settings::{self, Settings};
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
    /// Loads the settings of the file.
    pub fn load(&self) -> Result<Settings, Failure> {
        settings::load(&self.config).map_err(|problems| Failure::unloadable_settings(&problems, "--config"))
    }
}
