//! `cachefront locate KEY`

use super::{ConfigArgs, Failure};
use crate::{
    server,
    settings::{self, Settings},
    store::Store,
    types::{Address, FullKey, Key},
};
use clap::Args;
use std::{borrow::Cow, path::PathBuf};

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

fn place(settings: &Settings, key: &FullKey<'_>) -> Result<String, Failure> {
    let found = Store::new(settings).map_err(Failure::settings)?.locate(key);
    let say = |address: Option<Address>| address.map_or_else(|| "none".to_owned(), |address| address.to_string());
    Ok(format!("shard={} master={} replica={}", found.shard, say(found.master), say(found.replica)))
}
