//! The command line: one file per subcommand.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "the command line prints for people")]

mod bench;
mod check_config;
mod completions;
mod dev;
mod hash_key;
mod healthcheck;
mod keys;
mod man;
mod openapi;
mod serve;
mod status;
mod systemd;
mod table;

use crate::{
    settings::{self, Settings, SettingsProblems},
    types::error_chain,
};
use clap::{Args, CommandFactory, Parser, Subcommand, error::ErrorKind};
use std::{
    error::Error,
    fmt::Display,
    io::{self, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};

/// Exit status of sysexits.h for wrong usage of a command.
const EX_USAGE: u8 = 64;
/// Exit status of sysexits.h for a configuration error.
const EX_CONFIG: u8 = 78;

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
    Exit status: 0 success, 1 failure, 2 degraded or not ready (`status`), 64 wrong usage, 78 invalid configuration.";

#[derive(Subcommand)]
enum CliCommand {
    /// Serve HTTPS with the settings of a file.
    Serve(ConfigArgs),
    /// Start a complete instance for development: Redis with replicas, a certificate and an API key.
    Dev(dev::DevArgs),
    /// Validate the configuration.
    CheckConfig(ConfigArgs),
    /// Inspect keys directly in Redis: their nodes, their kinds and times to live, or a random sample.
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

#[derive(Args, Clone)]
struct ConfigArgs {
    /// Read the settings from this file; `CACHEFRONT__SECTION__OPTION` in the environment overrides its options
    #[arg(long, value_name = "FILE", default_value = "config/setup.config")]
    config: PathBuf,
}

/// Loads the settings of the file that `--config` names.
fn load_settings(path: &Path) -> Result<Settings, Failure> {
    settings::load(path).map_err(|problems| Failure::unloadable_settings(&problems, "--config"))
}

/// A failed command: its message and the exit status.
#[derive(Debug)]
pub struct Failure {
    message: String,
    status: u8,
}

impl Failure {
    /// A failure with exit status 1.
    pub fn general(message: impl Display) -> Self {
        Self { message: message.to_string(), status: 1 }
    }

    /// A failure with exit status 1 whose message is that of the error and all its causes.
    pub fn caused(error: impl Error) -> Self {
        Self::general(error_chain(&error))
    }

    /// A failure for wrong usage of the command.
    pub fn usage(message: impl Display) -> Self {
        Self { message: message.to_string(), status: EX_USAGE }
    }

    /// A failure for settings that the server cannot be built with.
    pub fn invalid_settings(error: impl Error) -> Self {
        Self::settings(error_chain(&error))
    }

    /// A failure for settings that cannot be loaded; `option` is the argument that names their file.
    pub fn unloadable_settings(problems: &SettingsProblems, option: &str) -> Self {
        let hint =
            if problems.is_file_missing() { format!("; name another file with {option}") } else { String::new() };
        Self::settings(format!("{problems}{hint}"))
    }

    /// A failure for invalid settings.
    pub fn settings(message: impl Display) -> Self {
        Self { message: message.to_string(), status: EX_CONFIG }
    }
}

/// Parses the arguments and runs the command.
pub fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // There is nowhere to report a terminal that cannot be written to.
            let _printed = error.print();
            let is_help = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
            return if is_help { ExitCode::SUCCESS } else { ExitCode::from(EX_USAGE) };
        }
    };
    let outcome = match cli.command.unwrap_or(CliCommand::Serve(cli.serve)) {
        CliCommand::Serve(args) => serve::run(&args.config),
        CliCommand::Dev(args) => dev::run(&args),
        CliCommand::CheckConfig(args) => check_config::run(&args.config),
        CliCommand::Keys(args) => keys::run(&args),
        CliCommand::Bench(args) => bench::run(&args),
        CliCommand::HashKey => hash_key::run(),
        CliCommand::Healthcheck(args) => healthcheck::run(&args.config),
        CliCommand::Status(args) => status::run(&args),
        CliCommand::Openapi => openapi::run(),
        CliCommand::Completions(args) => completions::run(&args),
        CliCommand::Man(args) => man::run(&args),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("cachefront: {}", failure.message);
            ExitCode::from(failure.status)
        }
    }
}

/// Returns the description of the command line.
fn command() -> clap::Command {
    Cli::command()
}

/// Prints a whole text. A reader that closes the pipe early is no failure.
fn print(text: impl AsRef<[u8]>) -> Result<(), Failure> {
    let mut out = io::stdout();
    match out.write_all(text.as_ref()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::general(format!("standard output: {error}")))
        }
        _ => Ok(()),
    }
}

/// Builds the event loop for background work; requests run on the workers of the service.
fn background_runtime() -> Result<tokio::runtime::Runtime, Failure> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(1).enable_all().build().map_err(Failure::general)
}
