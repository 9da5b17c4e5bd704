//! `cachefront bench URL`: a moderate load test of a running service.

mod account;
mod figures;
mod keys;
mod load;
mod progress;

use super::{
    failure::Failure,
    output::print,
    remote::{trust::TrustArgs, url::ServiceUrl},
};
use crate::server::{self, Shutdown};
use account::Account;
use clap::Args;
use figures::BenchResult;
use keys::{Keys, KeysError};
use load::{LiveFigures, LoadTest};
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};

/// Maximum number of bytes of all values of a load test.
const BYTES_MAX: u64 = 1 << 30;
/// Time for which keys outlive the load test.
const EXPIRY_MARGIN: Duration = Duration::from_secs(120);

const ABOUT: &str = "\
Test `cachefront dev` with the API key that it printed:
  CACHEFRONT_API_KEY=cf_… cachefront bench https://localhost:9090 --ca-cert certs/cert.pem

The test writes keys of its own, which begin with `bench:` (after the client's namespace). It reads and
writes them over HTTP/1.1, with one request at a time on each connection, and deletes them in the end.
Keys that cannot be deleted expire. After an answer with 429 or 503, a connection waits as Retry-After says.
Ctrl-C ends the test and prints the results so far. A second Ctrl-C ends it without deleting the keys.

Without --rate, a connection sends the next request when it has an answer, so that a slow service gets
fewer requests. With --rate, requests are due at fixed times, and latencies count from there: a stall
counts for all requests that had to wait. Latencies of failed requests are shown separately.

Exit status: 0 if at least one request succeeded, 1 if none did, 64 wrong usage.";

/// Arguments of `cachefront bench`.
#[derive(Args)]
#[command(after_help = ABOUT)]
pub struct BenchArgs {
    /// The URL of the service, such as `https://localhost:9090`, with the path before /cache and /login if there is one
    url: String,
    #[command(flatten)]
    account: account::AccountArgs,
    #[command(flatten)]
    trust: TrustArgs,
    /// Open this many connections, each with one request at a time
    #[arg(long, value_name = "COUNT", default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=2000))]
    connections: u32,
    /// Run for this time
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    seconds: u64,
    /// Send this many requests per second on all connections together; without it, as many as are answered
    #[arg(long, value_name = "PER_SECOND", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    rate: Option<u32>,
    /// Send this many WRITEs among 100 requests; the others are READs
    #[arg(long, value_name = "PERCENT", default_value_t = 10, value_parser = clap::value_parser!(u64).range(0..=100))]
    writes: u64,
    /// Write values of this size
    #[arg(long, value_name = "BYTES", default_value_t = 100, value_parser = clap::value_parser!(u32).range(0..=8_000_000))]
    value_bytes: u32,
    /// Read and write this many keys
    #[arg(long, value_name = "COUNT", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    keys: u32,
    /// Print the results as JSON, for programs
    #[arg(long)]
    json: bool,
}

/// Runs the load test and prints its results.
pub fn run(args: &BenchArgs) -> Result<(), Failure> {
    if u64::from(args.keys) * u64::from(args.value_bytes) > BYTES_MAX {
        return Err(Failure::usage(
            "the values of all keys together have more than 1 GiB: choose fewer --keys or smaller --value-bytes",
        ));
    }
    let target = ServiceUrl::new(&args.url, &args.trust)?;
    let runtime = tokio::runtime::Runtime::new().map_err(Failure::general)?;
    runtime.block_on(async {
        let shutdown = server::on_signals().map_err(Failure::caused)?;
        tokio::select! {
            outcome = bench(args, target, &shutdown) => outcome,
            () = shutdown.forced() => Err(Failure::general("ended at once; the keys are not deleted and will expire")),
        }
    })
}

async fn bench(args: &BenchArgs, target: ServiceUrl, shutdown: &Shutdown) -> Result<(), Failure> {
    let duration = Duration::from_secs(args.seconds);
    let (account, life) = args.account.open(&target).await?;
    let [count, value_bytes] =
        [args.keys, args.value_bytes].map(|number| usize::try_from(number).unwrap_or(usize::MAX));
    let keys = Arc::new(Keys::new(count, value_bytes, duration + EXPIRY_MARGIN));
    let mut notes = Vec::new();
    let filled = tokio::select! {
        filled = keys.fill(&target, &account) => filled,
        () = shutdown.requested() => Ok(()),
    };
    match filled {
        Ok(()) => {}
        Err(KeysError::Forbidden) if args.writes == 0 => {
            notes.push("This token may not write, so there was nothing to read.".to_owned());
        }
        Err(KeysError::Forbidden) => return Err(Failure::general("this token may not write; see --writes 0")),
        Err(KeysError::Failed(reason)) => {
            return Err(Failure::general(format!("the keys could not be written: {reason}")));
        }
    }
    let load = LoadTest {
        target: target.clone(),
        account: Arc::clone(&account),
        keys: Arc::clone(&keys),
        connections: args.connections,
        duration,
        rate: args.rate.map(f64::from),
        writes_percent: args.writes,
        live: Arc::new(LiveFigures::default()),
    };
    let (took, figures) = tokio::select! {
        outcome = load.run(shutdown) => outcome,
        () = progress::show(&load.live, duration) => unreachable!("it never returns"),
        () = account.renew(&target, life) => unreachable!("it never returns"),
    };
    notes.extend(delete_keys(&keys, &target, &account).await);
    print(if args.json {
        format!("{:#}\n", to_json(args, took, &figures, &notes))
    } else {
        text(args, took, &figures, &notes)
    })?;
    if figures.answered() == 0 {
        return Err(Failure::general("no request succeeded"));
    }
    Ok(())
}

/// Deletes the keys; returns a note if that fails.
async fn delete_keys(keys: &Keys, target: &ServiceUrl, account: &Account) -> Option<String> {
    let reason = match keys.clean(target, account).await {
        Ok(()) => return None,
        Err(KeysError::Forbidden) => "this token may not delete".to_owned(),
        Err(KeysError::Failed(reason)) => reason,
    };
    let (prefix, within) = (keys.prefix(), keys.expire.as_secs());
    Some(format!("The keys {prefix}* could not be deleted ({reason}); they expire within {within} s."))
}

fn text(args: &BenchArgs, took: Duration, figures: &BenchResult, notes: &[String]) -> String {
    let BenchArgs { url, connections, writes, value_bytes, keys, .. } = args;
    let rate = args.rate.map_or_else(|| "rate not limited".to_owned(), |rate| format!("{rate} requests/s requested"));
    let mut text = format!(
        "{url}: {connections} connections, {:.1} s, {rate}, {writes} % WRITE, {keys} keys of {value_bytes} bytes\n\n{}",
        took.as_secs_f64(),
        figures.text(took)
    );
    for note in notes {
        text.push_str(note);
        text.push('\n');
    }
    text
}

fn to_json(args: &BenchArgs, took: Duration, figures: &BenchResult, notes: &[String]) -> Value {
    let mut document = figures.to_json(took);
    document["asked"] = json!({
        "url": args.url,
        "connections": args.connections,
        "seconds": args.seconds,
        "rate": args.rate,
        "writes_percent": args.writes,
        "value_bytes": args.value_bytes,
        "keys": args.keys,
    });
    document["notes"] = json!(notes);
    document
}
