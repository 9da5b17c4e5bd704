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
    types::Address,
};
use clap::Args;
use serde_json::{Value, json};
use std::path::PathBuf;

/// Position of the column that only a Redis Cluster has.
const SLOT: usize = 1;

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

/// Prints shard, master and first replica of each key.
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
    let (mut rows, mut documents, mut problem) = (Vec::new(), Vec::new(), None);
    let mut with_slots = false;
    for key in &keys {
        let full_key = key.within(namespace);
        let location = locator.locate(&full_key);
        let earlier = earlier_locator.as_ref().map(|locator| locator.locate(&full_key));
        documents.push(document(key.as_str(), full_key.as_str(), &location, earlier.as_ref()));
        with_slots |= location.location.slot.is_some();
        rows.push(row(full_key.as_str(), &location, earlier.as_ref()));
        problem = problem.or(location.problem).or(earlier.and_then(|earlier| earlier.problem));
    }
    if args.inspect.json {
        print(format!("{:#}\n", Value::Array(documents)))?;
    } else {
        print(text(rows, with_slots, earlier_locator.is_some()))?;
    }
    problem.map_or(Ok(()), |problem| Err(Failure::general(problem)))
}

fn row(key: &str, place: &KeyLocation, earlier: Option<&KeyLocation>) -> Vec<String> {
    let KeyLocation { location, .. } = place;
    let mut row = vec![
        escaped(key),
        location.slot.map_or_else(|| "-".to_owned(), |slot| slot.to_string()),
        shard_name(place),
        place.format(location.master.as_ref()),
        place.format(location.replica.as_ref()),
    ];
    row.extend(earlier.map(shard_name));
    row
}

fn shard_name(place: &KeyLocation) -> String {
    place.shard().unwrap_or("unknown").to_owned()
}

fn text(mut rows: Vec<Vec<String>>, with_slots: bool, with_before: bool) -> String {
    let mut columns = vec![
        Column("KEY", Side::Left),
        Column("SLOT", Side::Right),
        Column("SHARD", Side::Left),
        Column("MASTER", Side::Left),
        Column("PREFERRED REPLICA", Side::Left),
    ];
    columns.extend(with_before.then_some(Column("BEFORE", Side::Left)));
    if !with_slots {
        columns.remove(SLOT);
        for row in &mut rows {
            row.remove(SLOT);
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
    let KeyLocation { location, problem } = place;
    json!({
        "slot": location.slot,
        "shard": place.shard(),
        "master": location.master.as_ref().map(Address::to_string),
        "replica": location.replica.as_ref().map(Address::to_string),
        "problem": problem,
    })
}
