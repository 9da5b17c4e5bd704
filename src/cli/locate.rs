//! `cachefront locate KEY`

use super::{ConfigArgs, Failure};
use crate::{
    server, settings,
    store::Store,
    types::{Address, FullKey, Key},
};
use clap::Args;
use std::{borrow::Cow, time::Duration};
use tokio::time::timeout;

/// How long sentinels may take to name a shard's nodes.
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
    if store.locate(&key).master.is_none() {
        ask(&store, &key)?;
    }
    let found = store.locate(&key);
    let unasked = if found.master.is_none() { "unknown" } else { "none" };
    let say = |address: Option<Address>| address.map_or_else(|| unasked.to_owned(), |address| address.to_string());
    let is_known = found.master.is_some();
    println!("shard={} master={} replica={}", found.shard, say(found.master), say(found.replica));
    if is_known {
        return Ok(());
    }
    let problems = store.topology_problems().join("; ");
    Err(Failure::general(format!(
        "who knows the nodes of shard \"{}\" did not name them in time: {problems}",
        found.shard
    )))
}

/// Asks those who know the nodes.
fn ask(store: &Store, key: &FullKey<'_>) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::general)?;
    runtime.block_on(async {
        tokio::select! {
            () = store.clone().maintain() => {}
            // If it is not known by then, that is said.
            _ = timeout(ASK_TIMEOUT, store.until_known(key)) => {}
        }
    });
    Ok(())
}
