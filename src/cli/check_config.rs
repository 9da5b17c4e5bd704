//! `cachefront check-config`

use super::Failure;
use crate::{server::Server, settings};
use std::path::Path;

/// Everything that `serve` checks before it opens a port.
pub fn run(config: &Path) -> Result<(), Failure> {
    let settings = settings::load(config).map_err(|problems| Failure::settings(problems.with_unreadable_files()))?;
    let summary = settings.to_string();
    Server::new(settings).map_err(|problem| Failure::settings(format!("{}: {problem}", config.display())))?;
    print!("{} is sound. With it would run:\n\n{summary}", config.display());
    Ok(())
}
