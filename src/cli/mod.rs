//! The command line: one file per subcommand.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "the command line prints for people")]

mod bench;
mod check_config;
mod check_connections;
mod client;
mod command_groups;
mod completions;
mod config_args;
mod dev;
mod failure;
mod hash_key;
mod healthcheck;
mod keys;
mod man;
mod openapi;
mod output;
mod remote;
mod runtime;
mod serve;
mod status;
mod systemd;
mod table;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand, error::ErrorKind};
use command_groups::grouped;
use config_args::ConfigArgs;
use failure::EX_USAGE;
use std::process::ExitCode;

/// One HTTPS endpoint in front of Redis: sharded, replicated, access-controlled and, on demand, encrypted caching.
#[derive(Parser)]
#[command(name = "cachefront", version, args_conflicts_with_subcommands = true, after_help = AFTER_HELP)]
struct Cli {
    #[command(subcommand)]
    command: Option<CliCommand>,
    #[command(flatten)]
    serve: ConfigArgs,
}

const AFTER_HELP: &str = "Without a command, cachefront serves, as `cachefront serve` does.\n\
    Exit status: 0 success, 1 failure or key not found, 2 degraded or not ready (`status`) or refused by the service \
    (client commands), 64 wrong usage, 69 service not reachable (client commands), 78 invalid configuration.";

#[derive(Subcommand)]
enum CliCommand {
    #[command(flatten)]
    Client(client::ClientCommand),
    /// Serve HTTPS with the settings of a file.
    Serve(ConfigArgs),
    /// Start a complete instance for development: Redis with replicas, a certificate and an API key.
    Dev(dev::DevArgs),
    /// Validate the configuration.
    CheckConfig(check_config::CheckConfigArgs),
    /// Inspect keys directly in Redis: their nodes, their kinds and times to live, or a random sample; sweep shards.
    Keys(keys::KeysArgs),
    /// Run a moderate load test against a service and print its throughput and latencies.
    Bench(bench::BenchArgs),
    /// Generate an API key and its hash, or hash the key on standard input.
    HashKey,
    /// Check that the instance with these settings is alive, for container health checks.
    Healthcheck(ConfigArgs),
    /// Show the state of a running instance and its shards.
    Status(status::StatusArgs),
    /// Print the OpenAPI description of the HTTP interface.
    Openapi,
    /// Generate shell completions.
    Completions(completions::CompletionsArgs),
    /// Print a manual page.
    Man(man::ManArgs),
}

/// Parses the arguments and runs the command.
pub fn run() -> ExitCode {
    let parsed = grouped(Cli::command()).try_get_matches().and_then(|matches| Cli::from_arg_matches(&matches));
    let cli = match parsed {
        Ok(cli) => cli,
        Err(error) => {
            // There is nowhere to report a terminal that cannot be written to.
            let _printed = error.print();
            let is_help = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
            return if is_help { ExitCode::SUCCESS } else { ExitCode::from(EX_USAGE) };
        }
    };
    let outcome = match cli.command.unwrap_or(CliCommand::Serve(cli.serve)) {
        CliCommand::Client(command) => client::run(&command),
        CliCommand::Serve(args) => serve::run(&args),
        CliCommand::Dev(args) => dev::run(&args),
        CliCommand::CheckConfig(args) => check_config::run(&args),
        CliCommand::Keys(args) => keys::run(&args),
        CliCommand::Bench(args) => bench::run(&args),
        CliCommand::HashKey => hash_key::run(),
        CliCommand::Healthcheck(args) => healthcheck::run(&args),
        CliCommand::Status(args) => status::run(&args),
        CliCommand::Openapi => openapi::run(),
        CliCommand::Completions(args) => completions::run(&args, Cli::command()),
        CliCommand::Man(args) => man::run(&args, Cli::command()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("cachefront: {}", failure.message);
            ExitCode::from(failure.status)
        }
    }
}
