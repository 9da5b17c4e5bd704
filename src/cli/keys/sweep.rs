//! `cachefront keys sweep`: finds keys that the ring gives to another shard, and deletes them on demand.

mod error;
mod pace;
mod plan;
mod progress;
mod report;
mod running_instance;
mod shard_sweep;
mod state_file;
mod steps;

use super::inspect::{InspectArgs, connected, runtime};
use crate::{
    cli::{failure::Failure, output::print},
    server,
    store::Store,
};
use clap::Args;
use plan::SweepPlan;
use report::SweepReport;
use running_instance::RunningInstance;
use state_file::StateFile;
use std::{
    io::{self, BufRead, IsTerminal, Write},
    path::PathBuf,
};
use steps::Sweep;

const ABOUT: &str = "\
A key is misplaced if the ring of these settings gives it to another shard than the one that holds it. Such keys are left
behind when shards or weights change. Nobody reads them, but they are seen again once an earlier file is put back. Run the
sweep with the settings that all instances use now: after a change that is meant to stay, and before you go back.

Without --delete nothing is changed. Keys of other programs in the same database of Redis count as misplaced, too: look at
some with --show-keys, and limit the sweep with --match or --client.

SCANNED    keys that were looked at; with --match or --client, only those that match
MISPLACED  keys among them that belong to another shard
DELETED    misplaced keys that were deleted

Each shard's master is asked with SCAN, one shard after the other. Ctrl-C ends the sweep; with --state the same command
goes on where it ended. If another node becomes master meanwhile, the scan of its shard begins anew. An ACL user of Redis
needs `+scan +dbsize` for this, besides what the service needs.

Exit status: 0 all shards are swept, 1 some are not, 64 wrong usage, 78 invalid configuration.";

/// Arguments of `cachefront keys sweep`.
#[derive(Args)]
#[command(after_help = ABOUT)]
pub struct SweepArgs {
    /// Delete the misplaced keys
    #[arg(long)]
    delete: bool,
    /// Do not ask before keys are deleted; only a terminal is asked
    #[arg(long, requires = "delete")]
    yes: bool,
    /// Sweep only keys that match this pattern, with `*`, `?` and `[…]` as in `SCAN`
    #[arg(long = "match", value_name = "PATTERN")]
    pattern: Option<String>,
    /// Examine at most this many keys per second
    #[arg(long, value_name = "KEYS", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    keys_per_second: u32,
    /// Show the names of up to this many misplaced keys of each shard
    #[arg(long, value_name = "KEYS", default_value_t = 0)]
    show_keys: usize,
    /// Keep the state of the sweep in this file, and go on from there if the file exists
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,
    #[command(flatten)]
    inspect: InspectArgs,
}

/// Sweeps all shards and prints the figures of each.
pub fn run(args: &SweepArgs) -> Result<(), Failure> {
    let settings = args.inspect.settings()?;
    let namespace = args.inspect.namespace(&settings)?;
    if args.inspect.client.is_some() && namespace.is_none() {
        return Err(Failure::usage("this client has no namespace, so its keys cannot be told from those of others"));
    }
    let plan = SweepPlan::new(&settings, namespace, args.pattern.as_deref(), args.delete)?;
    let mut file = StateFile::open(args.state.clone(), plan)?;
    let mut instance = RunningInstance::new(&settings.service)?;
    runtime()?.block_on(instance.check(file.plan())).map_err(Failure::caused)?;
    if !args.inspect.json {
        eprintln!("{}", file.plan().text(&args.inspect.config.config));
    }
    if args.delete && !args.yes {
        confirm()?;
    }
    let outcome = connected(&settings, async |store: &Store| {
        let shutdown = server::on_signals().map_err(Failure::caused)?;
        let mut sweep = Sweep::new(store, (&mut file, instance), args.keys_per_second, args.show_keys);
        tokio::select! {
            outcome = sweep.run(&shutdown) => Ok(outcome),
            () = shutdown.forced() => Err(Failure::general("ended at once; the state may be a second old")),
        }
    })??;
    let report = SweepReport { file: &file, outcome: &outcome, settings: &args.inspect.config.config };
    print(if args.inspect.json { format!("{:#}\n", report.document()) } else { report.text() })?;
    if let Some(error) = outcome.failures.into_iter().next() {
        return Err(Failure::caused(error));
    }
    if outcome.interrupted {
        return Err(Failure::general(report::how_to_go_on(args.state.is_some())));
    }
    file.remove()
}

/// Asks for a confirmation, if standard input is a terminal.
fn confirm() -> Result<(), Failure> {
    if !io::stdin().is_terminal() {
        return Ok(());
    }
    eprint!("Delete the misplaced keys? [y/N] ");
    io::stderr().flush().map_err(Failure::general)?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer).map_err(Failure::general)?;
    match answer.trim() {
        "y" | "Y" | "yes" => Ok(()),
        _ => Err(Failure::general("nothing was deleted")),
    }
}
