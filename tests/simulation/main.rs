//! A deterministic simulation of the store: see docs/simulation.md.

#![allow(clippy::print_stdout, reason = "a failing seed prints its history")]

mod checker;
mod clients;
mod cluster;
mod faults;
mod frontend;
mod history;
mod kept;
mod network;
mod plan;
mod redis;
mod rng;
mod scenario;
mod sentinel;
mod setup;
mod stories;
mod stream;
mod truth;
mod world;

use checker::Violation;
use kept::KEPT;
use plan::{EDITION, Plan};
use scenario::run;
use std::{
    env,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    thread,
    time::Instant,
};

/// Seeds that are run where `SEEDS` does not say otherwise.
const SEEDS: u64 = 200;

/// Prints the history of a seed and its violations.
fn report(plan: Plan) {
    let outcome = run(plan);
    println!("{plan:?}");
    let mut lines: Vec<String> = outcome.trace.clone();
    lines.extend(outcome.records.iter().map(ToString::to_string));
    lines.sort();
    println!("{}", lines.join("\n"));
    for violation in &outcome.violations {
        println!("VIOLATED {:?}: {}\n    {}", violation.promise, violation.reason, outcome.records[violation.record]);
    }
    let Plan { seed, edition } = plan;
    println!("replay: make simulate SEED={seed} EDITION={edition}");
}

/// Returns a number that the environment sets.
fn number(name: &str) -> Option<u64> {
    env::var(name).ok().and_then(|number| number.parse().ok())
}

fn newest(seed: u64) -> Plan {
    let edition = number("EDITION").and_then(|edition| edition.try_into().ok()).unwrap_or(EDITION);
    Plan { seed, edition }
}

#[test]
fn a_seed_replays_exactly() {
    for seed in 0..6 {
        let (one, other) = (run(newest(seed)), run(newest(seed)));
        assert_eq!(one.trace, other.trace, "seed {seed}");
        for (one, other) in one.records.iter().zip(&other.records) {
            assert_eq!(one, other, "seed {seed}");
        }
        assert_eq!(one.records.len(), other.records.len());
    }
}

#[test]
fn every_promise_holds_in_the_simulations_that_are_kept() {
    let plans: Vec<Plan> = KEPT.iter().map(|kept| kept.plan).collect();
    let failed = run_all(&plans);
    for (plan, violation) in &failed {
        let finds = KEPT.iter().find(|kept| kept.plan == *plan).map_or("", |kept| kept.finds);
        println!("{plan:?}, which once found \"{finds}\": {:?}: {}", violation.promise, violation.reason);
    }
    if let Some((plan, _)) = failed.first() {
        report(*plan);
    }
    assert!(failed.is_empty(), "{} of {} simulations break a promise", failed.len(), plans.len());
}

#[test]
fn every_promise_holds_for_every_seed() {
    if let Some(seed) = number("SEED") {
        return report(newest(seed));
    }
    let (count, first) = (number("SEEDS").unwrap_or(SEEDS), number("FIRST_SEED").unwrap_or(0));
    let start = Instant::now();
    let plans: Vec<Plan> = (first..first + count).map(newest).collect();
    let failed = run_all(&plans);
    println!("{count} seeds in {:.1?}", start.elapsed());
    for (plan, violation) in &failed {
        println!("seed {}: {:?}: {}", plan.seed, violation.promise, violation.reason);
    }
    if let Some((plan, _)) = failed.first() {
        report(*plan);
    }
    assert!(failed.is_empty(), "{} of {count} seeds break a promise", failed.len());
}

/// Runs simulations on all processors. Returns the first violation of each one that has any.
fn run_all(plans: &[Plan]) -> Vec<(Plan, Violation)> {
    let next = AtomicUsize::new(0);
    let failed = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while let Some(plan) = plans.get(next.fetch_add(1, Relaxed)) {
                    if let Some(first) = run(*plan).violations.into_iter().next() {
                        println!("seed {} fails", plan.seed);
                        failed.lock().unwrap_or_else(PoisonError::into_inner).push((*plan, first));
                    }
                }
            });
        }
    });
    let mut failed = failed.into_inner().unwrap_or_else(PoisonError::into_inner);
    failed.sort_by_key(|(plan, _)| plan.seed);
    failed
}
