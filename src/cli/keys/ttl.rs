//! `cachefront keys ttl KEY…`: shows what is stored under keys.

use super::inspect::{InspectArgs, connected, parse_keys};
use crate::{
    cli::{
        failure::Failure,
        output::print,
        table::{Column, Side, escaped, table},
    },
    settings::SealingRule,
    store::{InspectedKey, Store, StoreError},
    types::{Address, Deadline, FullKey, StoredKind, error_chain},
};
use clap::Args;
use futures_util::future::join_all;
use serde_json::{Value, json};
use std::time::Duration;

/// Time for the whole command, from connecting to the last answer.
const TIMEOUT: Duration = Duration::from_secs(4);

const ABOUT: &str = "\
KIND  text (a string, readable by every Redis client), envelope (other JSON), sealed (encrypted),
      bytes (stored by another program), or Redis's own name for a type that is no string;
      with \"(refused)\" where the service does not read it, because ENCRYPT_VALUES=required
SIZE  bytes of the value in Redis
LEFT  time until the key expires, or \"for ever\"

The master is asked, or a replica where the master does not answer. Only the first bytes of values are read.
An ACL user of Redis needs `+type +strlen +getrange` for this, besides what the service needs.";

/// Arguments of `cachefront keys ttl`.
#[derive(Args)]
#[command(after_help = ABOUT)]
pub struct TtlArgs {
    /// The keys, as in a command
    #[arg(required = true, value_name = "KEY")]
    keys: Vec<String>,
    #[command(flatten)]
    inspect: InspectArgs,
}

/// The node that answered and the key as it stores it; `None` where the key does not exist.
type Inspected = Result<(Address, Option<InspectedKey>), StoreError>;

/// Prints kind, size and time to live of each key.
pub fn run(args: &TtlArgs) -> Result<(), Failure> {
    let settings = args.inspect.settings()?;
    let keys = parse_keys(&args.keys)?;
    let namespace = args.inspect.namespace(&settings)?;
    let full_keys: Vec<FullKey<'_>> = keys.iter().map(|key| key.within(namespace)).collect();
    let inspected = connected(&settings, async |store: &Store| {
        let deadline = Deadline::within(TIMEOUT);
        join_all(full_keys.iter().map(|key| store.inspect_key(key, deadline))).await
    })?;
    let found = full_keys.iter().zip(&inspected);
    if args.inspect.json {
        let documents = found
            .zip(&keys)
            .map(|((full_key, inspected), key)| document(key.as_str(), full_key, inspected, settings.sealing.rule))
            .collect();
        print(format!("{:#}\n", Value::Array(documents)))?;
    } else {
        let columns = [
            Column("KEY", Side::Left),
            Column("NODE", Side::Left),
            Column("KIND", Side::Left),
            Column("SIZE", Side::Right),
            Column("LEFT", Side::Right),
        ];
        let rows: Vec<_> = found.map(|(key, inspected)| row(key, inspected, settings.sealing.rule)).collect();
        print(table(&columns, &rows))?;
    }
    let failed = inspected.iter().find_map(|inspected| inspected.as_ref().err());
    failed.map_or(Ok(()), |error| Err(Failure::caused(error)))
}

/// Returns true if the service does not read a value of this kind.
fn is_refused(kind: &StoredKind, rule: SealingRule) -> bool {
    rule == SealingRule::Required && *kind != StoredKind::Sealed
}

fn row(key: &FullKey<'_>, inspected: &Inspected, rule: SealingRule) -> Vec<String> {
    let [node, kind, bytes, left] = match inspected {
        Err(_) => ["-", "not known", "-", "-"].map(str::to_owned),
        Ok((node, None)) => [&node.to_string(), "no such key", "-", "-"].map(str::to_owned),
        Ok((node, Some(stored))) => [
            node.to_string(),
            [stored.kind.name(), if is_refused(&stored.kind, rule) { " (refused)" } else { "" }].concat(),
            stored.bytes.map_or_else(|| "-".to_owned(), |bytes| bytes.to_string()),
            stored.ttl.map_or_else(|| "for ever".to_owned(), format_ttl),
        ],
    };
    vec![escaped(key.as_str()), node, kind, bytes, left]
}

/// Formats a time to live with its two largest units.
pub fn format_ttl(ttl: Duration) -> String {
    let secs = ttl.as_secs();
    match secs {
        0 => format!("{} ms", ttl.as_millis()),
        1..60 => format!("{secs} s"),
        60..3_600 => format!("{} min {} s", secs / 60, secs % 60),
        3_600..86_400 => format!("{} h {} min", secs / 3_600, secs / 60 % 60),
        _ => format!("{} d {} h", secs / 86_400, secs / 3_600 % 24),
    }
}

fn document(key: &str, full_key: &FullKey<'_>, inspected: &Inspected, rule: SealingRule) -> Value {
    let mut document = json!({ "key": key, "full_key": full_key.as_str() });
    match inspected {
        Err(error) => document["problem"] = json!(error_chain(error)),
        Ok((node, stored)) => {
            document["node"] = json!(node.to_string());
            document["found"] = json!(stored.is_some());
            if let Some(stored) = stored {
                document["kind"] = json!(stored.kind.name());
                document["refused"] = json!(is_refused(&stored.kind, rule));
                document["bytes"] = json!(stored.bytes);
                document["expires"] = json!(stored.ttl.is_some());
                document["ttl_ms"] = json!(stored.ttl.map(|ttl| u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX)));
            }
        }
    }
    document
}
