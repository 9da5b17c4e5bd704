//! A ledger of all writes, against which replies are checked.

use serde_json::Value;
use std::{
    collections::{BTreeSet, HashMap},
    sync::{Mutex, MutexGuard, PoisonError},
};

/// Number of violations that are kept for the message.
const VIOLATIONS_MAX: usize = 20;

/// All writes of a load, by key.
#[derive(Default)]
pub struct Ledger(Mutex<Inner>);

/// The state behind the lock of a ledger.
#[derive(Default)]
struct Inner {
    records: HashMap<String, Record>,
    violations: Vec<String>,
    acknowledged: u64,
}

/// The writes of one key.
#[derive(Default)]
struct Record {
    /// The last version whose write was acknowledged.
    acknowledged: Option<u64>,
    /// The last version that was sent.
    sent: u64,
    /// Versions whose write was refused without any change.
    refused: BTreeSet<u64>,
}

/// Result of checking the reply to a READ.
pub enum ReadCheck {
    Fine,
    /// Older than what was acknowledged before the READ was sent.
    Stale,
}

/// Returns the value that stands for a version of a key.
pub fn value(key: &str, version: u64, padding_bytes: usize) -> String {
    format!("{key}#{version}#{}", "x".repeat(padding_bytes))
}

/// Splits a value into its key and its version.
fn parse(value: &str) -> Option<(&str, u64)> {
    let mut parts = value.splitn(3, '#');
    Some((parts.next()?, parts.next()?.parse().ok()?))
}

impl Ledger {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the next version of a key, which is about to be sent.
    pub fn send(&self, key: &str) -> u64 {
        let mut inner = self.inner();
        let record = inner.records.entry(key.to_owned()).or_default();
        record.sent += 1;
        record.sent
    }

    /// Records that the service acknowledged a write.
    pub fn acknowledge(&self, key: &str, version: u64) {
        let mut inner = self.inner();
        inner.acknowledged += 1;
        inner.records.entry(key.to_owned()).or_default().acknowledged = Some(version);
    }

    /// Records that the service refused a write without any change.
    pub fn refuse(&self, key: &str, version: u64) {
        self.inner().records.entry(key.to_owned()).or_default().refused.insert(version);
    }

    /// Returns the last acknowledged version of a key.
    pub fn last_acknowledged(&self, key: &str) -> Option<u64> {
        self.inner().records.get(key)?.acknowledged
    }

    /// Checks the reply to a READ of `key` that was sent after `floor` was acknowledged.
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

    /// Records a reply that contradicts the ledger.
    pub fn add_violation(&self, violation: String) {
        self.inner().add_violation(violation);
    }

    /// Returns the first violations.
    pub fn violations(&self) -> Vec<String> {
        self.inner().violations.clone()
    }

    /// Returns the number of acknowledged writes.
    pub fn acknowledged(&self) -> u64 {
        self.inner().acknowledged
    }

    /// Returns all keys with an acknowledged write.
    pub fn acknowledged_keys(&self) -> Vec<String> {
        let inner = self.inner();
        let acknowledged = inner.records.iter().filter(|(_, record)| record.acknowledged.is_some());
        acknowledged.map(|(key, _)| key.clone()).collect()
    }

    /// Returns the reason why a final reply does not show the acknowledged write of a key.
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
