//! A deterministic simulation of the store: see docs/simulation.md.

#![allow(clippy::print_stdout, reason = "a failing seed prints its history")]

mod checker;
mod clients;
mod faults;
mod frontend;
mod history;
mod network;
mod redis;
mod rng;
mod scenario;
mod setup;
mod stories;
mod stream;
mod truth;
mod world;

use scenario::run;
use std::{env, thread, time::Instant};

/// Seeds that are run where `SEEDS` does not say otherwise.
const SEEDS: u64 = 200;

/// Prints the history of a seed and its violations.
fn report(seed: u64) {
    let outcome = run(seed);
    println!("seed {seed}");
    let mut lines: Vec<String> = outcome.trace.clone();
    lines.extend(outcome.records.iter().map(ToString::to_string));
    lines.sort();
    println!("{}", lines.join("\n"));
    for violation in &outcome.violations {
        println!("VIOLATED {:?}: {}\n    {}", violation.promise, violation.reason, outcome.records[violation.record]);
    }
    println!("replay: make simulate SEED={seed}");
}

#[test]
fn a_seed_replays_exactly() {
    for seed in 0..6 {
        let (one, other) = (run(seed), run(seed));
        assert_eq!(one.trace, other.trace, "seed {seed}");
        for (one, other) in one.records.iter().zip(&other.records) {
            assert_eq!(one, other, "seed {seed}");
        }
        assert_eq!(one.records.len(), other.records.len());
    }
}

#[test]
fn every_promise_holds_for_every_seed() {
    if let Some(seed) = env::var("SEED").ok().and_then(|seed| seed.parse().ok()) {
        return report(seed);
    }
    let count = env::var("SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(SEEDS);
    let first: u64 = env::var("FIRST_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(0);
    let workers = thread::available_parallelism().map_or(1, usize::from) as u64;
    let start = Instant::now();
    let threads: Vec<_> = (0..workers)
        .map(|worker| {
            thread::spawn(move || {
                let mine = (first..first + count).filter(move |seed| seed % workers == worker);
                mine.filter_map(|seed| run(seed).violations.first().cloned().map(|first| (seed, first)))
                    .collect::<Vec<_>>()
            })
        })
        .collect();
    let mut failed: Vec<_> = threads.into_iter().flat_map(|thread| thread.join().expect("no panic")).collect();
    failed.sort_by_key(|(seed, _)| *seed);
    println!("{count} seeds in {:.1?}", start.elapsed());
    for (seed, violation) in &failed {
        println!("seed {seed}: {:?}: {}", violation.promise, violation.reason);
    }
    if let Some((seed, _)) = failed.first() {
        report(*seed);
    }
    assert!(failed.is_empty(), "{} of {count} seeds break a promise", failed.len());
}
