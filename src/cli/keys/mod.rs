//! `cachefront keys`: inspects keys directly in Redis; one file for each subcommand.

mod locate;
mod location;
mod sample;
mod ttl;

use super::{config_args::ConfigArgs, failure::Failure};
use crate::{
    server::{self, store_config},
    settings::Settings,
    store::Store,
    types::{Key, Namespace},
};
use clap::{Args, Subcommand};
use std::{borrow::Cow, sync::Arc};

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
}

/// The arguments that all subcommands have.
#[derive(Args)]
struct InspectArgs {
    /// Inspect the keys of this client, where clients have namespaces
    #[arg(long, value_name = "NAME")]
    client: Option<String>,
    /// Print JSON, for programs
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    config: ConfigArgs,
}

impl InspectArgs {
    fn settings(&self) -> Result<Settings, Failure> {
        server::install_crypto();
        self.config.load()
    }

    /// Returns the namespace of the client that the arguments name, if it has one.
    fn namespace<'a>(&self, settings: &'a Settings) -> Result<Option<&'a Namespace>, Failure> {
        let Some(name) = &self.client else { return Ok(None) };
        match settings.auth.clients.iter().find(|client| client.id == *name) {
            Some(client) => Ok(client.namespace.as_ref()),
            None => Err(Failure::usage(format!("there is no client \"{name}\" in {}", self.config.config.display()))),
        }
    }
}

/// Runs the subcommand.
pub fn run(args: &KeysArgs) -> Result<(), Failure> {
    match &args.command {
        KeysCommand::Locate(args) => locate::run(args),
        KeysCommand::Ttl(args) => ttl::run(args),
        KeysCommand::Sample(args) => sample::run(args),
    }
}

/// Parses keys from the command line.
fn parse_keys(texts: &[String]) -> Result<Vec<Key<'_>>, Failure> {
    texts
        .iter()
        .map(|text| {
            Key::new(Cow::Owned(text.clone()))
                .map_err(|error| Failure::usage(format!("\"{}\" is not a key: {error}", text.escape_debug())))
        })
        .collect()
}

fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::general)
}

/// Runs `inspect` on a store with these settings while its connections are maintained.
fn connected<T>(settings: &Settings, inspect: impl AsyncFnOnce(&Store) -> T) -> Result<T, Failure> {
    let store = Store::new(store_config(settings), None, Arc::default()).map_err(Failure::invalid_settings)?;
    runtime()?.block_on(async {
        tokio::select! {
            inspected = inspect(&store) => Ok(inspected),
            () = store.clone().run(Vec::new()) => Err(Failure::general("the connections to Redis ended")),
        }
    })
}
