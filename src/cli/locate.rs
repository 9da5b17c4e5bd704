//! `cachefront locate KEY`: one key in one line, for scripts; `keys locate` is for people.

use super::{
    ConfigArgs, Failure,
    keys::{
        BeforeArgs, namespace,
        place::{KeyLocation, KeyLocations},
    },
};
use crate::{
    server,
    settings::{self, Settings},
    types::{FullKey, Key},
};
use clap::Args;
use std::borrow::Cow;

#[derive(Args)]
pub struct LocateArgs {
    /// The key, as in a command
    key: String,
    /// The client whose key it is, where clients have namespaces
    #[arg(long, value_name = "NAME")]
    client: Option<String>,
    #[command(flatten)]
    before: BeforeArgs,
    #[command(flatten)]
    config: ConfigArgs,
}

pub fn run(args: &LocateArgs) -> Result<(), Failure> {
    let settings = settings::load(&args.config.config).map_err(Failure::settings)?;
    let key = Key::new(Cow::Borrowed(&args.key)).map_err(Failure::usage)?;
    let namespace = match &args.client {
        None => None,
        Some(name) => namespace(&settings, name, &args.config)?,
    };
    server::install_crypto();
    let key = key.within(namespace);
    println!("{}", line(&settings, &key)?);
    if let Some(settings) = args.before.settings()? {
        println!("before: {}", line(&settings, &key)?);
    }
    Ok(())
}

/// Where the key is with these settings.
fn line(settings: &Settings, key: &FullKey<'_>) -> Result<String, Failure> {
    let place = KeyLocations::new(settings)?.find(key);
    let slot = place.location.slot.map_or_else(String::new, |slot| format!("slot={slot} "));
    let shard = place.shard().map_or_else(String::new, |shard| format!("shard={shard} "));
    let node = |address: &Option<_>| place.shown(address.as_ref());
    let KeyLocation { location, problem } = &place;
    let line = format!("{slot}{shard}master={} replica={}", node(&location.master), node(&location.replica));
    match problem {
        None => Ok(line),
        Some(problem) => {
            println!("{line}");
            Err(Failure::general(problem))
        }
    }
}
