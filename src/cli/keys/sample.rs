//! `cachefront keys sample`: draws random keys and counts them by pattern.

mod summary;

use super::inspect::{InspectArgs, connected};
use crate::{
    cli::{
        failure::Failure,
        output::print,
        table::{Column, Side, escaped, table},
    },
    store::{KeySample, Store, StoreError},
    types::{Deadline, Key, error_chain},
};
use clap::Args;
use serde_json::{Value, json};
use std::{borrow::Cow, time::Duration};
use summary::Summary;

/// Time for one shard, from connecting to the last answer.
const SHARD_TIMEOUT: Duration = Duration::from_secs(5);
/// Time for sentinels or cluster nodes to name the nodes.
const DISCOVERY_TIMEOUT: Duration = Duration::from_secs(2);

const ABOUT: &str = "\
PATTERN      the key with its variable parts replaced: <n> for digits, <uuid>, <hex> for 8 or more hex digits
KEYS, SHARE  number and share of the drawn keys
SIZE, TTL    bytes of the value and time until the key expires: the median, and the maximum (MAX)
NO EXPIRY    number of keys that never expire

Nothing is changed. A replica is asked where there is one, otherwise the master, with RANDOMKEY, which is
cheap. A key that is drawn twice counts once, so a small shard shows fewer keys than requested. An ACL user
of Redis needs `+randomkey +dbsize +type +strlen +getrange` for this, besides what the service needs.";

/// Arguments of `cachefront keys sample`.
#[derive(Args)]
#[command(after_help = ABOUT)]
pub struct SampleArgs {
    /// Draw this many keys on each shard
    #[arg(long, value_name = "KEYS", default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    count: u32,
    /// Show this many patterns; the others are counted together
    #[arg(long, value_name = "PATTERNS", default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..))]
    top: u16,
    #[command(flatten)]
    inspect: InspectArgs,
}

/// The sample of each shard, by name; `None` for a shard that has no nodes any more.
type ShardSamples = Vec<(String, Result<Option<KeySample>, StoreError>)>;

/// Prints the sampled shards and the patterns of their keys.
pub fn run(args: &SampleArgs) -> Result<(), Failure> {
    let settings = args.inspect.settings()?;
    let namespace = args.inspect.namespace(&settings)?;
    if args.inspect.client.is_some() && namespace.is_none() {
        return Err(Failure::usage("this client has no namespace, so its keys cannot be told from those of others"));
    }
    let count = usize::try_from(args.count).unwrap_or(usize::MAX);
    let sampled = connected(&settings, async |store: &Store| sample(store, count).await)?;
    let failed = sampled.iter().find_map(|(_, sample)| sample.as_ref().err());
    let prefix = namespace.map(|namespace| format!("{}:", namespace.name()));
    let summary = Summary::new(sampled.iter().flat_map(|(_, sample)| keys(sample)), prefix.as_deref());
    if args.inspect.json {
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
    failed.map_or(Ok(()), |error| Err(Failure::caused(error)))
}

/// Samples one shard after the other, so that no more than one node is busy.
async fn sample(store: &Store, count: usize) -> ShardSamples {
    // Any key serves: in a Redis Cluster, all slots become known at once.
    if let Ok(key) = Key::new(Cow::Borrowed("any")) {
        store.wait_until_known(&key.within(None), Deadline::within(DISCOVERY_TIMEOUT)).await;
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
    let mut row = vec![escaped(name)];
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
        Ok(None) => json!({ "shard": name, "problem": "the shard does not exist any more" }),
        Err(error) => json!({ "shard": name, "problem": error_chain(error) }),
    }
}
