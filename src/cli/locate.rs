//! `cachefront locate KEY`

use super::{ConfigArgs, Failure};
use crate::{
    server,
    settings::{self, Settings},
    store::Store,
    types::{Address, FullKey, Key},
};
use clap::Args;
use std::{borrow::Cow, path::PathBuf, time::Duration};

/// How long those who know the nodes may take to name them.
const ASK_TIMEOUT: Duration = Duration::from_secs(2);

#[derive(Args)]
pub struct LocateArgs {
    /// The key, as in a command
    key: String,
    /// The client whose key it is, where clients have namespaces
    #[arg(long, value_name = "NAME")]
    client: Option<String>,
    /// An earlier settings file: says as well where the key was with it
    #[arg(long, value_name = "FILE")]
    before: Option<PathBuf>,
    #[command(flatten)]
    config: ConfigArgs,
}

pub fn run(args: &LocateArgs) -> Result<(), Failure> {
    let settings = settings::load(&args.config.config).map_err(Failure::settings)?;
    let key = Key::new(Cow::Borrowed(&args.key)).map_err(Failure::usage)?;
    let namespace = match &args.client {
        None => None,
        Some(name) => {
            let client = settings.auth.clients.iter().find(|client| client.id == *name);
            client
                .ok_or_else(|| {
                    Failure::usage(format!("there is no client \"{name}\" in {}", args.config.config.display()))
                })?
                .namespace
                .as_ref()
        }
    };
    server::install_crypto();
    let key = key.within(namespace);
    println!("{}", place(&settings, &key)?);
    if let Some(before) = &args.before {
        let settings = settings::load(before).map_err(Failure::settings)?;
        println!("before: {}", place(&settings, &key)?);
    }
    Ok(())
}

/// Where the key is with these settings.
fn place(settings: &Settings, key: &FullKey<'_>) -> Result<String, Failure> {
    let store = Store::new(settings, None).map_err(Failure::settings)?;
    let slot = store.slot(key).map_or_else(String::new, |slot| format!("slot={slot} "));
    if store.locate(key).master.is_none()
        && let Err(problem) = ask(&store, key)?
    {
        let shard = if slot.is_empty() { format!("shard={} ", store.locate(key).shard) } else { String::new() };
        println!("{slot}{shard}master=unknown replica=unknown");
        return Err(Failure::general(problem));
    }
    let found = store.locate(key);
    let say = |address: Option<Address>| address.map_or_else(|| "none".to_owned(), |address| address.to_string());
    Ok(format!("{slot}shard={} master={} replica={}", found.shard, say(found.master), say(found.replica)))
}

/// Asks those who know where keys are; the inner error is why they did not say it.
fn ask(store: &Store, key: &FullKey<'_>) -> Result<Result<(), String>, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::general)?;
    Ok(runtime.block_on(store.discover(key, ASK_TIMEOUT)))
}
