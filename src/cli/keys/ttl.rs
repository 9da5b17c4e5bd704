//! `cachefront keys ttl KEY…`

use super::{LookArgs, chain, connected, keys};
use crate::{
    cli::{
        Failure, print,
        table::{Column, Side, shown, table},
    },
    store::{InspectedKey, Store, StoreError},
    types::{Address, Deadline, FullKey},
};
use clap::Args;
use futures_util::future::join_all;
use serde_json::{Value, json};
use std::time::Duration;

/// How long all of it may take, from connecting to the last answer.
const TIMEOUT: Duration = Duration::from_secs(4);

const ABOUT: &str = "\
KIND  text (a string, readable by every Redis client), envelope (other JSON), sealed (encrypted),
      bytes (stored by another program), or Redis's own name for what is no string
SIZE  in bytes, as it lies in Redis
LEFT  until it expires, or \"for ever\"

The master is asked, or a replica where that does not answer. Of values only the first bytes are read.
An ACL user of Redis needs `+type +strlen +getrange` for this, besides what the service needs.";

#[derive(Args)]
#[command(after_help = ABOUT)]
pub struct TtlArgs {
    /// The keys, as in a command
    #[arg(required = true, value_name = "KEY")]
    keys: Vec<String>,
    #[command(flatten)]
    look: LookArgs,
}

type Looked = Result<(Address, Option<InspectedKey>), StoreError>;

pub fn run(args: &TtlArgs) -> Result<(), Failure> {
    let settings = args.look.settings()?;
    let keys = keys(&args.keys)?;
    let namespace = args.look.namespace(&settings)?;
    let full_keys: Vec<FullKey<'_>> = keys.iter().map(|key| key.within(namespace)).collect();
    let looked = connected(&settings, async |store: &Store| {
        let deadline = Deadline::within(TIMEOUT);
        join_all(full_keys.iter().map(|key| store.inspect_key(key, deadline))).await
    })?;
    let found = full_keys.iter().zip(&looked);
    if args.look.json {
        let documents = found.zip(&keys).map(|((full, looked), key)| document(key.as_str(), full, looked)).collect();
        print(format!("{:#}\n", Value::Array(documents)))?;
    } else {
        let columns = [
            Column("KEY", Side::Left),
            Column("NODE", Side::Left),
            Column("KIND", Side::Left),
            Column("SIZE", Side::Right),
            Column("LEFT", Side::Right),
        ];
        let rows: Vec<_> = found.map(|(key, looked)| row(key, looked)).collect();
        print(table(&columns, &rows))?;
    }
    let failed = looked.iter().find_map(|looked| looked.as_ref().err());
    failed.map_or(Ok(()), |error| Err(Failure::general(chain(error))))
}

fn row(key: &FullKey<'_>, looked: &Looked) -> Vec<String> {
    let dash = || "-".to_owned();
    let (node, kind, bytes, left) = match looked {
        Err(_) => (dash(), "not known".to_owned(), dash(), dash()),
        Ok((node, None)) => (node.to_string(), "no such key".to_owned(), dash(), dash()),
        Ok((node, Some(stored))) => (
            node.to_string(),
            stored.kind.name().to_owned(),
            stored.bytes.map_or_else(dash, |bytes| bytes.to_string()),
            stored.ttl.map_or_else(|| "for ever".to_owned(), left),
        ),
    };
    vec![shown(key.as_str()), node, kind, bytes, left]
}

/// A time as people say it: the two largest units.
pub fn left(ttl: Duration) -> String {
    let secs = ttl.as_secs();
    match secs {
        0 => format!("{} ms", ttl.as_millis()),
        1..60 => format!("{secs} s"),
        60..3_600 => format!("{} min {} s", secs / 60, secs % 60),
        3_600..86_400 => format!("{} h {} min", secs / 3_600, secs / 60 % 60),
        _ => format!("{} d {} h", secs / 86_400, secs / 3_600 % 24),
    }
}

fn document(key: &str, full_key: &FullKey<'_>, looked: &Looked) -> Value {
    let mut document = json!({ "key": key, "full_key": full_key.as_str() });
    match looked {
        Err(error) => document["problem"] = json!(chain(error)),
        Ok((node, stored)) => {
            document["node"] = json!(node.to_string());
            document["found"] = json!(stored.is_some());
            if let Some(stored) = stored {
                document["kind"] = json!(stored.kind.name());
                document["bytes"] = json!(stored.bytes);
                document["expires"] = json!(stored.ttl.is_some());
                document["ttl_ms"] = json!(stored.ttl.map(|ttl| u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX)));
            }
        }
    }
    document
}
