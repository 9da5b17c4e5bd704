//! The summary of a load, and its line for docs/failures.md.

use serde_json::json;
use std::{collections::BTreeMap, fs::OpenOptions, io::Write, time::Duration};

/// Environment variable with the file that the lines are appended to; scripts/failures.py makes the table from it.
const REPORT: &str = "CACHEFRONT_FAULT_REPORT";

/// Counts, failures and stalls of a load.
#[derive(Debug, Default)]
pub struct LoadSummary {
    /// Number of commands, including those of batches.
    pub requests: u64,
    /// Number of failed reads by code.
    pub reads_failed: BTreeMap<String, u64>,
    /// Number of failed writes by code.
    pub writes_failed: BTreeMap<String, u64>,
    /// Longest time that one reader had no success.
    pub read_stall: Duration,
    /// Longest time that one writer had no success.
    pub write_stall: Duration,
    /// Number of requests that were repeated at another instance.
    pub moved: u64,
    /// Number of reads that returned an older version than one acknowledged before.
    pub stale: u64,
    /// Number of acknowledged writes.
    pub acknowledged: u64,
    /// Acknowledged writes that were lost.
    pub lost: Vec<String>,
}

impl LoadSummary {
    /// Adds the summary of another client.
    pub fn merge(&mut self, other: Self) {
        self.requests += other.requests;
        for (all, one) in [(&mut self.reads_failed, other.reads_failed), (&mut self.writes_failed, other.writes_failed)]
        {
            for (code, count) in one {
                *all.entry(code).or_default() += count;
            }
        }
        self.read_stall = self.read_stall.max(other.read_stall);
        self.write_stall = self.write_stall.max(other.write_stall);
        self.moved += other.moved;
        self.stale += other.stale;
        self.acknowledged += other.acknowledged;
        self.lost.extend(other.lost);
    }

    /// Appends a line for the documentation, if a file is given. `what` is the broken part, `fault` its fault.
    pub fn report(&self, what: &str, fault: &str) -> &Self {
        let Some(path) = std::env::var_os(REPORT) else { return self };
        let line = json!({
            "what": what,
            "fault": fault,
            "requests": self.requests,
            "reads_failed": self.reads_failed,
            "writes_failed": self.writes_failed,
            "read_stall_ms": self.read_stall.as_millis(),
            "write_stall_ms": self.write_stall.as_millis(),
            "stale": self.stale,
            "acknowledged": self.acknowledged,
            "lost": self.lost.len(),
        });
        let mut file = OpenOptions::new().create(true).append(true).open(path).expect("the report can be written");
        // One call, so that tests that run at the same time do not mix their lines.
        file.write_all(format!("{line}\n").as_bytes()).expect("the report is written");
        self
    }

    /// Asserts that no read failed.
    #[track_caller]
    pub fn expect_no_failed_read(&self) -> &Self {
        assert!(self.reads_failed.is_empty(), "reads failed: {self:?}");
        self
    }

    /// Asserts that no write failed.
    #[track_caller]
    pub fn expect_no_failed_write(&self) -> &Self {
        assert!(self.writes_failed.is_empty(), "writes failed: {self:?}");
        self
    }

    /// Asserts that writes failed with no other code than these.
    #[track_caller]
    pub fn expect_writes_failed_only_with(&self, codes: &[&str]) -> &Self {
        assert!(self.writes_failed.keys().all(|code| codes.contains(&code.as_str())), "{self:?}");
        self
    }

    /// Asserts that reads failed with no other code than these.
    #[track_caller]
    pub fn expect_reads_failed_only_with(&self, codes: &[&str]) -> &Self {
        assert!(self.reads_failed.keys().all(|code| codes.contains(&code.as_str())), "{self:?}");
        self
    }

    /// Asserts that no acknowledged write was lost.
    #[track_caller]
    pub fn expect_nothing_lost(&self) -> &Self {
        assert!(self.lost.is_empty(), "acknowledged writes were lost: {self:?}");
        self
    }

    /// Asserts that no caller was without a success for longer.
    #[track_caller]
    pub fn expect_stalls_within(&self, reads: Duration, writes: Duration) -> &Self {
        assert!(self.read_stall <= reads && self.write_stall <= writes, "too long without success: {self:?}");
        self
    }
}
