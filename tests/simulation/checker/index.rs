//! Tables of a history, so that each check looks at little of it.

use crate::{
    history::{Action, Answer, Record},
    truth::MIGRATION,
    world::{Ms, World},
};
use std::collections::{BTreeMap, BTreeSet};

/// Tables of a history and of the truth.
pub struct Index {
    /// The positions of the acknowledged changes of each key, in the order of the answers.
    changes: BTreeMap<String, Vec<usize>>,
    /// The times at which values expire.
    expiries: BTreeMap<u32, Ms>,
    /// The number of times that a value was set in one shard.
    times_made: BTreeMap<u32, usize>,
}

impl Index {
    pub fn new(world: &World, records: &[Record]) -> Self {
        let mut changes: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (number, record) in records.iter().enumerate().filter(|(_, record)| is_acknowledged(record)) {
            changes.entry(record.key.clone()).or_default().push(number);
        }
        let mut expiries: BTreeMap<u32, Ms> = BTreeMap::new();
        let mut made: BTreeMap<u32, BTreeSet<(usize, Ms, u64)>> = BTreeMap::new();
        for branch in &world.truth.branches {
            for applied in &branch.history {
                let Some(change) = &applied.change else { continue };
                let Some(value) = change.value.filter(|_| change.instance != MIGRATION) else { continue };
                made.entry(value).or_default().insert((branch.shard, applied.time, applied.end));
                if let Some(expires_at) = change.expires_at {
                    let latest = expiries.entry(value).or_default();
                    *latest = expires_at.max(*latest);
                }
            }
        }
        let times_made = made.into_iter().map(|(value, made)| (value, most_in_one_shard(&made))).collect();
        Self { changes, expiries, times_made }
    }

    /// Returns the positions of the acknowledged changes of a key.
    pub fn changes(&self, key: &str) -> &[usize] {
        self.changes.get(key).map_or(&[], Vec::as_slice)
    }

    /// Returns the time at which a value expires.
    pub fn expiry(&self, value: u32) -> Option<Ms> {
        self.expiries.get(&value).copied()
    }

    /// Returns the number of times that a value was set in one shard.
    pub fn times_made(&self, value: u32) -> usize {
        self.times_made.get(&value).copied().unwrap_or(0)
    }
}

fn most_in_one_shard(made: &BTreeSet<(usize, Ms, u64)>) -> usize {
    let mut by_shard: BTreeMap<usize, usize> = BTreeMap::new();
    for (shard, ..) in made {
        *by_shard.entry(*shard).or_default() += 1;
    }
    by_shard.into_values().max().unwrap_or(0)
}

/// Returns true if a record is a change that was acknowledged and left a trace.
fn is_acknowledged(record: &Record) -> bool {
    match record.action {
        Action::Read(_) => false,
        Action::Write { .. } => record.answer == Answer::Done,
        Action::Delete => record.answer == Answer::Deleted(true),
    }
}
