//! `cachefront bench URL`: a polite load test of a running service.

mod account;
mod figures;
mod keys;
mod load;
mod progress;
mod target;
mod trust;

use super::{Failure, print};
use crate::server::{self, Shutdown};
use account::Account;
use clap::Args;
use figures::Figures;
use keys::{Keys, Stuck};
use load::{LiveFigures, LoadTest};
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};
use target::ServiceUrl;

/// What the keys of a load test may come to, in bytes.
const BYTES_MAX: u64 = 1 << 30;
/// Keys outlive the load test by so long.
const SPARE: Duration = Duration::from_secs(120);

const ABOUT: &str = "\
Against `cachefront dev`, with the API key that it printed:
  CACHEFRONT_API_KEY=cf_… cachefront bench https://localhost:9090 --ca-cert certs/cert.pem

It writes keys of its own, which begin with `bench:` (behind the client's namespace), reads and writes
them over HTTP/1.1, one request at a time on each connection, and deletes them in the end; what it can't
delete expires. Where the service answers 429 or 503, a connection waits as long as Retry-After says.
Ctrl-C ends it with the results so far; a second time, without deleting.

Without --rate a connection asks again as soon as it has its answer, so a service that is slow is asked
less. With --rate requests are due at fixed times, and latency counts from there: a stall counts for all
who had to wait, as callers feel it. Latencies of failed requests are apart.

Exit status: 0 if at least one request was answered, 1 if none was.";

#[derive(Args)]
#[command(after_help = ABOUT)]
pub struct BenchArgs {
    /// Where the service is, such as `https://localhost:9090`; a path before /cache and /login may follow
    url: String,
    #[command(flatten)]
    account: account::AccountArgs,
    #[command(flatten)]
    trust: trust::Trust,
    /// Connections, each with one request at a time
    #[arg(long, value_name = "COUNT", default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=2000))]
    connections: u32,
    /// How long to go on
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    seconds: u64,
    /// Requests per second, of all connections together; without it, as many as are answered
    #[arg(long, value_name = "PER_SECOND", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    rate: Option<u32>,
    /// How many of 100 requests are WRITEs; the others are READs
    #[arg(long, value_name = "PERCENT", default_value_t = 10, value_parser = clap::value_parser!(u64).range(0..=100))]
    writes: u64,
    /// Size of the values, in bytes
    #[arg(long, value_name = "BYTES", default_value_t = 100, value_parser = clap::value_parser!(u32).range(0..=8_000_000))]
    value_bytes: u32,
    /// Keys that are read and written
    #[arg(long, value_name = "COUNT", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    keys: u32,
    /// Print the results as JSON, for programs
    #[arg(long)]
    json: bool,
}

pub fn run(args: &BenchArgs) -> Result<(), Failure> {
    if u64::from(args.keys) * u64::from(args.value_bytes) > BYTES_MAX {
        return Err(Failure::usage("so many keys with so large values come to more than 1 GiB"));
    }
    let target = ServiceUrl::new(&args.url, &args.trust)?;
    let runtime = tokio::runtime::Runtime::new().map_err(Failure::general)?;
    runtime.block_on(async {
        let stop = server::on_signals().map_err(Failure::general)?;
        tokio::select! {
            done = bench(args, target, &stop) => done,
            () = stop.forced() => Err(Failure::general("ended at once: the keys will expire")),
        }
    })
}

async fn bench(args: &BenchArgs, target: ServiceUrl, stop: &Shutdown) -> Result<(), Failure> {
    let duration = Duration::from_secs(args.seconds);
    let (account, life) = args.account.open(&target).await?;
    let number = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
    let keys = Arc::new(Keys::new(number(args.keys), number(args.value_bytes), duration + SPARE));
    let mut notes = Vec::new();
    let filled = tokio::select! {
        filled = keys.fill(&target, &account) => filled,
        () = stop.requested() => Ok(()),
    };
    match filled {
        Ok(()) => {}
        Err(Stuck::Forbidden) if args.writes == 0 => {
            notes.push("This token may not write, so there was nothing to read.".to_owned());
        }
        Err(Stuck::Forbidden) => return Err(Failure::general("this token may not write; see --writes 0")),
        Err(Stuck::Failed(why)) => return Err(Failure::general(format!("the keys could not be written: {why}"))),
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
        outcome = load.run(stop) => outcome,
        () = progress::show(&load.live, duration) => unreachable!("it goes on for ever"),
        () = account.renew(&target, life) => unreachable!("it goes on for ever"),
    };
    notes.extend(left_behind(&keys, &target, &account).await);
    print(if args.json {
        format!("{:#}\n", document(args, took, &figures, &notes))
    } else {
        text(args, took, &figures, &notes)
    })?;
    if figures.answered() == 0 {
        return Err(Failure::general("no request was answered as it should be"));
    }
    Ok(())
}

/// Removes the keys; says what that could not be done to.
async fn left_behind(keys: &Keys, target: &ServiceUrl, account: &Account) -> Option<String> {
    let why = match keys.clean(target, account).await {
        Ok(()) => return None,
        Err(Stuck::Forbidden) => "this token may not delete".to_owned(),
        Err(Stuck::Failed(why)) => why,
    };
    let (prefix, within) = (keys.prefix(), keys.expire.as_secs());
    Some(format!("The keys {prefix}* could not be deleted ({why}); they expire within {within} s."))
}

fn text(args: &BenchArgs, took: Duration, figures: &Figures, notes: &[String]) -> String {
    let BenchArgs { url, connections, writes, value_bytes, keys, .. } = args;
    let rate =
        args.rate.map_or_else(|| "as fast as it answers".to_owned(), |rate| format!("{rate} requests/s asked for"));
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

fn document(args: &BenchArgs, took: Duration, figures: &Figures, notes: &[String]) -> Value {
    let mut document = figures.document(took);
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
