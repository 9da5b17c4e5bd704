//! `cachefront keys sample`

mod summary;

use super::{LookArgs, chain, connected};
use crate::{
    cli::{
        Failure, print,
        table::{Column, Side, shown, table},
    },
    store::{KeySample, Store, StoreError},
    types::{Deadline, Key},
};
use clap::Args;
use serde_json::{Value, json};
use std::{borrow::Cow, time::Duration};
use summary::Summary;

/// How long a shard may take, from connecting to the last answer.
const SHARD_TIMEOUT: Duration = Duration::from_secs(5);
/// How long those who know the nodes may take to name them.
const ASK_TIMEOUT: Duration = Duration::from_secs(2);

const ABOUT: &str = "\
PATTERN      keys with what differs folded away: <n> for digits, <uuid>, <hex> for 8 or more places
KEYS, SHARE  of those drawn
SIZE, LEFT   bytes and time until they expire: of the one in the middle, and the most there is
FOR EVER     how many never expire

Nothing is changed. A replica is asked where there is one, otherwise the master, with RANDOMKEY, which is
cheap. A key that is drawn twice counts once, so a small shard shows fewer than asked for. An ACL user of
Redis needs `+randomkey +dbsize +type +strlen +getrange` for this, besides what the service needs.";

#[derive(Args)]
#[command(after_help = ABOUT)]
pub struct SampleArgs {
    /// Keys to draw on each shard
    #[arg(long, value_name = "KEYS", default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    count: u32,
    /// Patterns to show; the rest is counted together
    #[arg(long, value_name = "PATTERNS", default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..))]
    top: u16,
    #[command(flatten)]
    look: LookArgs,
}

/// What came of each shard, by name.
type Sampled = Vec<(String, Result<Option<KeySample>, StoreError>)>;

pub fn run(args: &SampleArgs) -> Result<(), Failure> {
    let settings = args.look.settings()?;
    let namespace = args.look.namespace(&settings)?;
    if args.look.client.is_some() && namespace.is_none() {
        return Err(Failure::usage("this client has no namespace: its keys can't be told from others"));
    }
    let count = usize::try_from(args.count).unwrap_or(usize::MAX);
    let sampled = connected(&settings, async |store: &Store| sample(store, count).await)?;
    let failed = sampled.iter().find_map(|(_, sample)| sample.as_ref().err());
    let prefix = namespace.map(|namespace| format!("{}:", namespace.name()));
    let summary = Summary::new(sampled.iter().flat_map(|(_, sample)| keys(sample)), prefix.as_deref());
    if args.look.json {
        let shards: Vec<Value> = sampled.iter().map(shard_document).collect();
        let document = json!({ "shards": shards, "patterns": summary.documents(args.top.into()) });
        print(format!("{document:#}\n"))?;
    } else {
        let columns = [
            Column("SHARD", Side::Left),
            Column("ASKED", Side::Left),
            Column("KEYS", Side::Right),
            Column("DRAWN", Side::Right),
        ];
        let rows: Vec<_> = sampled.iter().map(shard_row).collect();
        print(format!("{}\n{}", table(&columns, &rows), summary.text(args.top.into(), failed.is_none())))?;
    }
    failed.map_or(Ok(()), |error| Err(Failure::general(chain(error))))
}

/// Shard by shard, so that no more than one node is kept busy.
async fn sample(store: &Store, count: usize) -> Sampled {
    // Any key will do: in a Redis Cluster it is all slots that become known.
    if let Ok(key) = Key::new(Cow::Borrowed("any")) {
        store.known(&key.within(None), Deadline::within(ASK_TIMEOUT)).await;
    }
    let mut sampled = Vec::new();
    for shard in store.health() {
        let sample = store.sample(&shard.name, count, Deadline::within(SHARD_TIMEOUT)).await;
        sampled.push((shard.name, sample));
    }
    sampled
}

fn keys(
    sample: &Result<Option<KeySample>, StoreError>,
) -> impl Iterator<Item = &(Vec<u8>, crate::store::InspectedKey)> {
    sample.iter().flatten().flat_map(|sample| &sample.drawn)
}

fn shard_row((name, sample): &(String, Result<Option<KeySample>, StoreError>)) -> Vec<String> {
    let mut row = vec![shown(name)];
    row.extend(match sample {
        Ok(Some(sample)) => [sample.node.to_string(), sample.keys.to_string(), sample.drawn.len().to_string()],
        _ => ["no answer".to_owned(), "-".to_owned(), "-".to_owned()],
    });
    row
}

fn shard_document((name, sample): &(String, Result<Option<KeySample>, StoreError>)) -> Value {
    match sample {
        Ok(Some(sample)) => {
            json!({ "shard": name, "node": sample.node.to_string(), "keys": sample.keys, "drawn": sample.drawn.len() })
        }
        Ok(None) => json!({ "shard": name, "problem": "it is gone" }),
        Err(error) => json!({ "shard": name, "problem": chain(error) }),
    }
}
