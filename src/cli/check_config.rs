//! `cachefront check-config`: validates the configuration.

use super::{config_args::ConfigArgs, failure::Failure};

/// Checks everything that `serve` checks before it opens a port, and prints a summary of the settings.
pub fn run(args: &ConfigArgs) -> Result<(), Failure> {
    let server = args.server(args.load_for_server()?)?;
    print!("{} is valid. The service would run with:\n\n{}", args.config.display(), server.settings());
    Ok(())
}
