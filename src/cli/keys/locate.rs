//! `cachefront keys locate KEY…`: shows the nodes of keys.

use super::{
    inspect::{InspectArgs, parse_keys},
    location::{KeyLocation, KeyLocator},
};
use crate::{
    cli::{
        failure::Failure,
        output::print,
        table::{Column, Side, escaped, table},
    },
    settings,
    types::{Address, FullKey},
};
use clap::Args;
use serde_json::{Value, json};
use std::path::PathBuf;

/// Arguments of `cachefront keys locate`.
#[derive(Args)]
pub struct LocateArgs {
    /// The keys, as in a command
    #[arg(required = true, value_name = "KEY")]
    keys: Vec<String>,
    /// Show as well which shard held the keys with this earlier settings file
    #[arg(long, value_name = "FILE")]
    before: Option<PathBuf>,
    #[command(flatten)]
    inspect: InspectArgs,
}

/// Prints shard, master and first replica of each key. The nodes are asked which of them is the master now.
pub fn run(args: &LocateArgs) -> Result<(), Failure> {
    let settings = args.inspect.settings()?;
    let keys = parse_keys(&args.keys)?;
    let namespace = args.inspect.namespace(&settings)?;
    let locator = KeyLocator::new(&settings)?;
    let earlier_settings = args
        .before
        .as_ref()
        .map(|path| settings::load(path).map_err(|problems| Failure::unloadable_settings(&problems, "--before")))
        .transpose()?;
    let earlier_locator = earlier_settings.as_ref().map(KeyLocator::new).transpose()?;
    let full_keys: Vec<FullKey<'_>> = keys.iter().map(|key| key.within(namespace)).collect();
    let mut locations: Vec<KeyLocation> = full_keys.iter().map(|key| locator.locate(key)).collect();
    locator.ask_roles(&full_keys, &mut locations);
    let with_configured = locations.iter().any(KeyLocation::differs_from_settings);
    let (mut rows, mut documents, mut problem) = (Vec::new(), Vec::new(), None);
    for ((key, full_key), location) in keys.iter().zip(&full_keys).zip(&locations) {
        let earlier = earlier_locator.as_ref().map(|locator| locator.locate(full_key));
        documents.push(document(key.as_str(), full_key.as_str(), location, earlier.as_ref()));
        rows.push(row(full_key.as_str(), location, earlier.as_ref()));
        problem = problem.or(location.problem.clone()).or(earlier.and_then(|earlier| earlier.problem));
    }
    let optional = [
        ("SLOT", locations.iter().any(|place| place.location.slot.is_some())),
        ("CONFIGURED MASTER", with_configured),
        ("BEFORE", earlier_locator.is_some()),
    ];
    if args.inspect.json {
        print(format!("{:#}\n", Value::Array(documents)))?;
    } else {
        print(text(rows, &optional))?;
    }
    problem.map_or(Ok(()), |problem| Err(Failure::general(problem)))
}

/// Returns the cells of all columns; [`text`] leaves out those that are not needed.
fn row(key: &str, place: &KeyLocation, earlier: Option<&KeyLocation>) -> Vec<String> {
    let KeyLocation { location, .. } = place;
    vec![
        escaped(key),
        location.slot.map_or_else(|| "-".to_owned(), |slot| slot.to_string()),
        shard_name(place),
        place.master(),
        place.configured_master.as_ref().map_or_else(|| "-".to_owned(), Address::to_string),
        place.format(location.replica.as_ref()),
        earlier.map(shard_name).unwrap_or_default(),
    ]
}

fn shard_name(place: &KeyLocation) -> String {
    place.shard().unwrap_or("unknown").to_owned()
}

/// Formats the table; `optional` tells for some columns whether they are needed.
fn text(mut rows: Vec<Vec<String>>, optional: &[(&str, bool)]) -> String {
    let mut columns = vec![
        Column("KEY", Side::Left),
        Column("SLOT", Side::Right),
        Column("SHARD", Side::Left),
        Column("MASTER", Side::Left),
        Column("CONFIGURED MASTER", Side::Left),
        Column("PREFERRED REPLICA", Side::Left),
        Column("BEFORE", Side::Left),
    ];
    for (name, _) in optional.iter().filter(|(_, is_needed)| !is_needed) {
        if let Some(position) = columns.iter().position(|column| column.0 == *name) {
            columns.remove(position);
            for row in &mut rows {
                row.remove(position);
            }
        }
    }
    table(&columns, &rows)
}

fn document(key: &str, full_key: &str, location: &KeyLocation, earlier: Option<&KeyLocation>) -> Value {
    let mut document = location_document(location);
    document["key"] = json!(key);
    document["full_key"] = json!(full_key);
    if let Some(earlier) = earlier {
        document["before"] = location_document(earlier);
    }
    document
}

fn location_document(place: &KeyLocation) -> Value {
    let KeyLocation { location, configured_master, problem } = place;
    json!({
        "slot": location.slot,
        "shard": place.shard(),
        "master": location.master.as_ref().map(Address::to_string),
        "configured_master": configured_master.as_ref().map(Address::to_string),
        "replica": location.replica.as_ref().map(Address::to_string),
        "problem": problem,
    })
}
