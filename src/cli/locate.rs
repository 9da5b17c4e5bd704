//! `cachefront locate KEY`

use super::{ConfigArgs, Failure};
use crate::{
    server, settings,
    store::Store,
    types::{Address, Key},
};
use clap::Args;
use std::{borrow::Cow, time::Duration};

/// How long those who know where keys are may take to answer.
const ASK_TIMEOUT: Duration = Duration::from_secs(2);

#[derive(Args)]
pub struct LocateArgs {
    /// The key, as in a command
    key: String,
    /// The client whose key it is, where clients have namespaces
    #[arg(long, value_name = "NAME")]
    client: Option<String>,
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
    let store = Store::new(&settings).map_err(Failure::settings)?;
    let key = key.within(namespace);
    if let Err(problem) = discover(&store)? {
        return Err(Failure::general(match store.slot(&key) {
            Some(slot) => format!("the key is in slot {slot}; who has it cannot be asked: {problem}"),
            None => problem,
        }));
    }
    let found = store.locate(&key);
    let say = |address: Option<Address>| address.map_or_else(|| "none".to_owned(), |address| address.to_string());
    let slot = found.slot.map_or_else(String::new, |slot| format!("slot={slot} "));
    println!("{slot}shard={} master={} replica={}", found.shard, say(found.master), say(found.replica));
    Ok(())
}

/// Asks those who know where keys are, where that is not in the settings.
fn discover(store: &Store) -> Result<Result<(), String>, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::general)?;
    Ok(runtime.block_on(store.discover(ASK_TIMEOUT)))
}
