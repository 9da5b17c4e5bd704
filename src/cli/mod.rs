//! The command line: one file per subcommand.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "people read here what the program prints")]

mod bench;
mod check_config;
mod completions;
pub mod dev;
mod hash_key;
mod healthcheck;
mod keys;
mod locate;
mod man;
mod notify;
mod openapi;
mod serve;
mod status;
mod table;

use clap::{Args, CommandFactory, Parser, Subcommand, error::ErrorKind};
use std::{
    fmt::Display,
    io::{self, Write},
    path::PathBuf,
    process::ExitCode,
};

/// Of sysexits.h: the command was used wrongly.
const EX_USAGE: u8 = 64;
/// Of sysexits.h: something is wrong with the settings.
const EX_CONFIG: u8 = 78;

/// One HTTPS endpoint in front of Redis: sharded, replicated, access-controlled and, on demand, encrypted caching.
#[derive(Parser)]
#[command(name = "cachefront", version, args_conflicts_with_subcommands = true, after_help = AFTER_HELP)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: ConfigArgs,
}

const AFTER_HELP: &str = "Without a command it serves, as `cachefront serve` does.\n\
    Exit status: 0 done, 1 failed, 2 (`status`) not whole, 64 used wrongly, 78 something wrong with the settings.";

#[derive(Subcommand)]
enum Command {
    /// Serve HTTPS with the settings of a file
    Serve(ConfigArgs),
    /// Try it out: a real Redis master with replicas, a certificate and an API key, all made on the spot
    Dev(dev::DevArgs),
    /// Say everything that is wrong with the settings, or what would run
    CheckConfig(ConfigArgs),
    /// Look at keys, straight in Redis: where they live, what they are, which ones there are
    Keys(keys::KeysArgs),
    /// Show which shard and nodes serve a key, in one line for scripts; for people there is `keys locate`
    Locate(locate::LocateArgs),
    /// Put a modest load on a running service and say how fast it answers
    Bench(bench::BenchArgs),
    /// Make an API key and its hash, or hash the key given on standard input
    HashKey,
    /// Ask the instance that runs with these settings whether it is alive (for container health checks)
    Healthcheck(ConfigArgs),
    /// Show how the running instance and its shards are: what its console shows, on a terminal
    Status(status::StatusArgs),
    /// Print the OpenAPI description of the HTTP interface
    Openapi,
    /// Print what makes a shell complete commands and options
    Completions(completions::CompletionsArgs),
    /// Print a manual page
    Man(man::ManArgs),
}

#[derive(Args, Clone)]
struct ConfigArgs {
    /// The settings file; the environment (`CACHEFRONT__SECTION__OPTION`) goes on top of it
    #[arg(long, value_name = "FILE", default_value = "config/setup.config")]
    config: PathBuf,
}

/// A failure: what to say and the exit status that goes with it.
#[derive(Debug)]
pub struct Failure {
    message: String,
    status: u8,
}

impl Failure {
    pub fn general(message: impl Display) -> Self {
        Self { message: message.to_string(), status: 1 }
    }

    pub fn usage(message: impl Display) -> Self {
        Self { message: message.to_string(), status: EX_USAGE }
    }

    pub fn settings(message: impl Display) -> Self {
        Self { message: message.to_string(), status: EX_CONFIG }
    }
}

/// Reads the arguments and does what they say.
pub fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Nobody reads what cannot be printed.
            let _printed = error.print();
            let asked_for = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
            return if asked_for { ExitCode::SUCCESS } else { ExitCode::from(EX_USAGE) };
        }
    };
    let outcome = match cli.command.unwrap_or(Command::Serve(cli.serve)) {
        Command::Serve(args) => serve::run(&args.config),
        Command::Dev(args) => dev::run(&args),
        Command::CheckConfig(args) => check_config::run(&args.config),
        Command::Keys(args) => keys::run(&args),
        Command::Locate(args) => locate::run(&args),
        Command::Bench(args) => bench::run(&args),
        Command::HashKey => hash_key::run(),
        Command::Healthcheck(args) => healthcheck::run(&args.config),
        Command::Status(args) => status::run(&args),
        Command::Openapi => openapi::run(),
        Command::Completions(args) => completions::run(&args),
        Command::Man(args) => man::run(&args),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("cachefront: {}", failure.message);
            ExitCode::from(failure.status)
        }
    }
}

/// The command line as clap sees it.
fn command() -> clap::Command {
    Cli::command()
}

/// Prints all of it. Whoever closes the pipe has read enough.
fn print(text: impl AsRef<[u8]>) -> Result<(), Failure> {
    let mut out = io::stdout();
    match out.write_all(text.as_ref()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::general(format!("standard output: {error}")))
        }
        _ => Ok(()),
    }
}

/// The event loop for all that is not a request: those run on the service's workers.
fn background_runtime() -> Result<tokio::runtime::Runtime, Failure> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(1).enable_all().build().map_err(Failure::general)
}
