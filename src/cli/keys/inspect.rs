//! The parts that all subcommands share: their arguments, and the store that they inspect.

use crate::{
    cli::{config_args::ConfigArgs, failure::Failure},
    server::{self, store_config},
    settings::Settings,
    store::Store,
    types::{Key, Namespace},
};
use clap::Args;
use std::{borrow::Cow, sync::Arc};

/// The arguments that all subcommands have.
#[derive(Args)]
pub struct InspectArgs {
    /// Inspect the keys of this client, where clients have namespaces
    #[arg(long, value_name = "NAME")]
    pub client: Option<String>,
    /// Print JSON, for programs
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub config: ConfigArgs,
}

impl InspectArgs {
    /// Loads the settings and prepares for TLS.
    pub fn settings(&self) -> Result<Settings, Failure> {
        server::install_crypto();
        self.config.load()
    }

    /// Returns the namespace of the client that the arguments name, if it has one.
    pub fn namespace<'a>(&self, settings: &'a Settings) -> Result<Option<&'a Namespace>, Failure> {
        let Some(name) = &self.client else { return Ok(None) };
        match settings.auth.clients.iter().find(|client| client.id == *name) {
            Some(client) => Ok(client.namespace.as_ref()),
            None => Err(Failure::usage(format!("there is no client \"{name}\" in {}", self.config.config.display()))),
        }
    }
}

/// Parses keys from the command line.
pub fn parse_keys(texts: &[String]) -> Result<Vec<Key<'_>>, Failure> {
    texts
        .iter()
        .map(|text| {
            Key::new(Cow::Owned(text.clone()))
                .map_err(|error| Failure::usage(format!("\"{}\" is not a key: {error}", text.escape_debug())))
        })
        .collect()
}

/// Creates a runtime for one inspection.
pub fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::general)
}

/// Runs `inspect` on a store with these settings while its connections are maintained.
pub fn connected<T>(settings: &Settings, inspect: impl AsyncFnOnce(&Store) -> T) -> Result<T, Failure> {
    let store = Store::new(store_config(settings), None, Arc::default()).map_err(Failure::invalid_settings)?;
    runtime()?.block_on(async {
        tokio::select! {
            inspected = inspect(&store) => Ok(inspected),
            () = store.clone().run(Vec::new()) => Err(Failure::general("the connections to Redis ended")),
        }
    })
}
