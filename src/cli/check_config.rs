//! `cachefront check-config`: validates the configuration.

use super::{check_connections, config_args::ConfigArgs, failure::Failure, output::print};
use clap::Args;

const ABOUT: &str = "\
With --connect the service's user has to be able to log in at every node, sentinel and seed of the cluster, and to run all
commands that the service needs. Nothing is changed there. Each address has a few times `connect_timeout_ms`.

Exit status: 0 everything is right, 78 something is not; all problems are reported together.";

/// Arguments of `cachefront check-config`.
#[derive(Args)]
#[command(after_help = ABOUT)]
pub struct CheckConfigArgs {
    /// Also connect to every node and sentinel, and check its kind and the permissions there
    #[arg(long)]
    connect: bool,
    #[command(flatten)]
    config: ConfigArgs,
}

/// Checks everything that `serve` checks before it opens a port, and prints a summary of the settings.
pub fn run(CheckConfigArgs { connect, config: args }: &CheckConfigArgs) -> Result<(), Failure> {
    let server = args.server(args.load_for_server()?)?;
    print(format!("{} is valid. The service would run with:\n\n{}", args.config.display(), server.settings()))?;
    if *connect { check_connections::run(server.settings()) } else { Ok(()) }
}
