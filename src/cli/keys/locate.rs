//! `cachefront keys locate KEY…`

use super::{
    BeforeArgs, LookArgs, keys,
    place::{KeyLocation, KeyLocations},
};
use crate::cli::{
    Failure, print,
    table::{Column, Side, shown, table},
};
use clap::Args;
use serde_json::{Value, json};

/// The column that only a Redis Cluster has.
const SLOT: usize = 1;

#[derive(Args)]
pub struct LocateArgs {
    /// The keys, as in a command
    #[arg(required = true, value_name = "KEY")]
    keys: Vec<String>,
    #[command(flatten)]
    before: BeforeArgs,
    #[command(flatten)]
    look: LookArgs,
}

pub fn run(args: &LocateArgs) -> Result<(), Failure> {
    let settings = args.look.settings()?;
    let keys = keys(&args.keys)?;
    let namespace = args.look.namespace(&settings)?;
    let places = KeyLocations::new(&settings)?;
    let earlier = args.before.settings()?;
    let earlier = earlier.as_ref().map(KeyLocations::new).transpose()?;
    let (mut rows, mut documents, mut problem) = (Vec::new(), Vec::new(), None);
    let mut with_slots = false;
    for key in &keys {
        let full = key.within(namespace);
        let place = places.find(&full);
        let before = earlier.as_ref().map(|places| places.find(&full));
        documents.push(document(key.as_str(), full.as_str(), &place, before.as_ref()));
        with_slots |= place.location.slot.is_some();
        rows.push(row(full.as_str(), &place, before.as_ref()));
        problem = problem.or(place.problem).or(before.and_then(|before| before.problem));
    }
    if args.look.json {
        print(format!("{:#}\n", Value::Array(documents)))?;
    } else {
        print(text(rows, with_slots, earlier.is_some()))?;
    }
    problem.map_or(Ok(()), |problem| Err(Failure::general(problem)))
}

fn row(key: &str, place: &KeyLocation, before: Option<&KeyLocation>) -> Vec<String> {
    let KeyLocation { location, .. } = place;
    let slot = location.slot.map_or_else(|| "-".to_owned(), |slot| slot.to_string());
    let shard = |place: &KeyLocation| place.shard().unwrap_or("unknown").to_owned();
    let nodes = [&location.master, &location.replica].map(|address| place.shown(address.as_ref()));
    let mut row = vec![shown(key), slot, shard(place)];
    row.extend(nodes);
    row.extend(before.map(shard));
    row
}

fn text(mut rows: Vec<Vec<String>>, with_slots: bool, with_before: bool) -> String {
    let mut columns = vec![
        Column("KEY", Side::Left),
        Column("SLOT", Side::Right),
        Column("SHARD", Side::Left),
        Column("MASTER", Side::Left),
        Column("READ FIRST", Side::Left),
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

fn document(key: &str, full_key: &str, place: &KeyLocation, before: Option<&KeyLocation>) -> Value {
    let where_it_is = |place: &KeyLocation| {
        let KeyLocation { location, problem } = place;
        let address = |address: &Option<_>| address.as_ref().map(ToString::to_string);
        json!({
            "slot": location.slot,
            "shard": place.shard(),
            "master": address(&location.master),
            "replica": address(&location.replica),
            "problem": problem,
        })
    };
    let mut document = where_it_is(place);
    document["key"] = json!(key);
    document["full_key"] = json!(full_key);
    if let Some(before) = before {
        document["before"] = where_it_is(before);
    }
    document
}
