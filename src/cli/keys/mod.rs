//! `cachefront keys`: inspects and sweeps keys directly in Redis; one file for each subcommand.

mod inspect;
mod locate;
mod location;
mod sample;
mod sweep;
mod ttl;

use super::failure::Failure;
use clap::{Args, Subcommand};

/// Arguments of `cachefront keys`.
#[derive(Args)]
pub struct KeysArgs {
    #[command(subcommand)]
    command: KeysCommand,
}

#[derive(Subcommand)]
enum KeysCommand {
    /// Show the shard and the nodes of keys; no key is read.
    Locate(locate::LocateArgs),
    /// Show the kind, the size and the remaining time to live of keys.
    Ttl(ttl::TtlArgs),
    /// Draw random keys on each shard and count them by pattern.
    Sample(sample::SampleArgs),
    /// Find keys that belong to another shard than the one that holds them, and delete them on demand.
    Sweep(sweep::SweepArgs),
}

/// Runs the subcommand.
pub fn run(args: &KeysArgs) -> Result<(), Failure> {
    match &args.command {
        KeysCommand::Locate(args) => locate::run(args),
        KeysCommand::Ttl(args) => ttl::run(args),
        KeysCommand::Sample(args) => sample::run(args),
        KeysCommand::Sweep(args) => sweep::run(args),
    }
}
