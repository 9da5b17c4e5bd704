//! `cachefront keys`: looks at keys, straight in Redis; one file per subcommand.

mod locate;
pub mod place;
mod sample;
mod ttl;

use super::{ConfigArgs, Failure};
use crate::{
    server,
    settings::{self, Settings},
    store::Store,
    types::{Key, Namespace},
};
use clap::{Args, Subcommand};
use std::{borrow::Cow, error::Error, fmt::Write, path::PathBuf, sync::Arc};

#[derive(Args)]
pub struct KeysArgs {
    #[command(subcommand)]
    command: KeysCommand,
}

#[derive(Subcommand)]
enum KeysCommand {
    /// Show which shard and nodes serve keys, by the settings (and by whoever knows the nodes); reads no key
    Locate(locate::LocateArgs),
    /// Show what is stored under keys: kind, size, and the time it has left
    Ttl(ttl::TtlArgs),
    /// Show what kinds of keys there are: draws some at random on each shard and counts them by pattern
    Sample(sample::SampleArgs),
}

/// What all of them take.
#[derive(Args)]
struct LookArgs {
    /// The client whose keys they are, where clients have namespaces
    #[arg(long, value_name = "NAME")]
    client: Option<String>,
    /// Print JSON, for programs
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    config: ConfigArgs,
}

impl LookArgs {
    fn settings(&self) -> Result<Settings, Failure> {
        server::install_crypto();
        settings::load(&self.config.config).map_err(Failure::settings)
    }

    fn namespace<'a>(&self, settings: &'a Settings) -> Result<Option<&'a Namespace>, Failure> {
        let Some(name) = &self.client else { return Ok(None) };
        namespace(settings, name, &self.config)
    }
}

pub fn run(args: &KeysArgs) -> Result<(), Failure> {
    match &args.command {
        KeysCommand::Locate(args) => locate::run(args),
        KeysCommand::Ttl(args) => ttl::run(args),
        KeysCommand::Sample(args) => sample::run(args),
    }
}

/// The namespace of the client with this name, if it has one.
pub fn namespace<'a>(
    settings: &'a Settings,
    client: &str,
    config: &ConfigArgs,
) -> Result<Option<&'a Namespace>, Failure> {
    let known = settings.auth.clients.iter().find(|known| known.id == client);
    let missing = || Failure::usage(format!("there is no client \"{client}\" in {}", config.config.display()));
    Ok(known.ok_or_else(missing)?.namespace.as_ref())
}

/// Keys as people type them.
fn keys(given: &[String]) -> Result<Vec<Key<'_>>, Failure> {
    let key = |text: &String| {
        Key::new(Cow::Owned(text.clone())).map_err(|error| Failure::usage(format!("{text:?} is no key: {error}")))
    };
    given.iter().map(key).collect()
}

fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::general)
}

/// Runs `look` on a store of these settings that is connected meanwhile.
fn connected<T>(settings: &Settings, look: impl AsyncFnOnce(&Store) -> T) -> Result<T, Failure> {
    let store = Store::new(settings, None, Arc::default()).map_err(Failure::settings)?;
    runtime()?.block_on(async {
        tokio::select! {
            looked = look(&store) => Ok(looked),
            () = store.clone().run(Vec::new()) => Err(Failure::general("the connections to Redis ended")),
        }
    })
}

/// An error with all its causes; operators may see addresses.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let _ = write!(text, ": {error}");
        cause = error.source();
    }
    text
}

/// An earlier settings file.
#[derive(Args)]
pub struct BeforeArgs {
    /// An earlier settings file: says as well where keys were with it
    #[arg(long, value_name = "FILE")]
    pub before: Option<PathBuf>,
}

impl BeforeArgs {
    pub fn settings(&self) -> Result<Option<Settings>, Failure> {
        self.before.as_ref().map(|path| settings::load(path).map_err(Failure::settings)).transpose()
    }
}
