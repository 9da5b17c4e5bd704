//! What was written, as far as its writers know, and whether a reply agrees with it.

use serde_json::Value;
use std::{
    collections::{BTreeSet, HashMap},
    sync::{Mutex, MutexGuard, PoisonError},
};

/// As many as help to understand what went wrong.
const VIOLATIONS_MAX: usize = 20;

#[derive(Default)]
pub struct Ledger(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    records: HashMap<String, Record>,
    violations: Vec<String>,
    acknowledged: u64,
}

/// One key.
#[derive(Default)]
struct Record {
    /// The last version whose write was acknowledged.
    acknowledged: Option<u64>,
    /// The last version that was sent.
    sent: u64,
    /// Versions of which was said that nothing was changed.
    refused: BTreeSet<u64>,
}

/// What a reply to a READ came to.
pub enum ReadCheck {
    Fine,
    /// Older than what was acknowledged before the READ was sent.
    Stale,
}

/// The value of a version of a key.
pub fn value(key: &str, version: u64, padding_bytes: usize) -> String {
    format!("{key}#{version}#{}", "x".repeat(padding_bytes))
}

fn parse(value: &str) -> Option<(&str, u64)> {
    let mut parts = value.splitn(3, '#');
    Some((parts.next()?, parts.next()?.parse().ok()?))
}

impl Ledger {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next version of a key, which is about to be sent.
    pub fn send(&self, key: &str) -> u64 {
        let mut inner = self.inner();
        let record = inner.records.entry(key.to_owned()).or_default();
        record.sent += 1;
        record.sent
    }

    pub fn acknowledge(&self, key: &str, version: u64) {
        let mut inner = self.inner();
        inner.acknowledged += 1;
        inner.records.entry(key.to_owned()).or_default().acknowledged = Some(version);
    }

    /// The service said that the write was not done.
    pub fn refuse(&self, key: &str, version: u64) {
        self.inner().records.entry(key.to_owned()).or_default().refused.insert(version);
    }

    pub fn last_acknowledged(&self, key: &str) -> Option<u64> {
        self.inner().records.get(key)?.acknowledged
    }

    /// Checks what a READ of `key` gave, which was sent when `floor` was acknowledged.
    pub fn check_read(&self, key: &str, floor: Option<u64>, reply: &Value) -> ReadCheck {
        let mut inner = self.inner();
        let record = inner.records.get(key);
        let (sent, is_refused) = (record.map_or(0, |record| record.sent), |version: u64| {
            record.is_some_and(|record| record.refused.contains(&version))
        });
        let problem = match reply["value"].as_str().map(|value| (value, parse(value))) {
            Some((_, Some((own, version)))) if own == key => {
                if version > sent {
                    Some("has a version that nobody wrote")
                } else if is_refused(version) {
                    Some("has a version whose write was refused as not done")
                } else if floor.is_some_and(|floor| version < floor) {
                    return ReadCheck::Stale;
                } else {
                    None
                }
            }
            Some(_) => Some("is the value of another key"),
            None if reply["status"] == "NOT_FOUND" => Some("is missing, though it was written"),
            None => Some("is no reply to a READ"),
        };
        if let Some(problem) = problem {
            inner.add_violation(format!("READ {key} {problem} (acknowledged {floor:?}, sent {sent}): {reply}"));
        }
        ReadCheck::Fine
    }

    /// Checks the reply to a successful WRITE, which repeats what was written.
    pub fn check_write(&self, value: &str, reply: &Value) {
        if reply["command"] != "WRITE" || reply["value"] != value {
            self.inner().add_violation(format!("WRITE {value} was answered {reply}"));
        }
    }

    pub fn add_violation(&self, violation: String) {
        self.inner().add_violation(violation);
    }

    pub fn violations(&self) -> Vec<String> {
        self.inner().violations.clone()
    }

    /// How many writes were acknowledged.
    pub fn acknowledged(&self) -> u64 {
        self.inner().acknowledged
    }

    pub fn acknowledged_keys(&self) -> Vec<String> {
        let inner = self.inner();
        let acknowledged = inner.records.iter().filter(|(_, record)| record.acknowledged.is_some());
        acknowledged.map(|(key, _)| key.clone()).collect()
    }

    /// Why a reply, after all is over, does not show the acknowledged write of a key.
    pub fn final_problem(&self, key: &str, reply: &Value) -> Option<String> {
        let floor = self.last_acknowledged(key)?;
        if reply["status"] == "NOT_FOUND" || reply["status"] == "ERROR" {
            return Some(format!("version {floor} was acknowledged, now there is {reply}"));
        }
        match self.check_read(key, Some(floor), reply) {
            ReadCheck::Fine => None,
            ReadCheck::Stale => Some(format!("version {floor} was acknowledged, now there is {reply}")),
        }
    }
}

impl Inner {
    fn add_violation(&mut self, violation: String) {
        if self.violations.len() < VIOLATIONS_MAX {
            self.violations.push(violation);
        }
    }
}
