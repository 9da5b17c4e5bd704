//! What a load went through, and the line that it leaves for docs/failures.md.

use serde_json::json;
use std::{collections::BTreeMap, fs::OpenOptions, io::Write, time::Duration};

/// Names the file that the lines are appended to; scripts/failures.py makes the table from it.
const REPORT: &str = "CACHEFRONT_FAULT_REPORT";

#[derive(Debug, Default)]
pub struct LoadSummary {
    /// Commands, those of batches included.
    pub requests: u64,
    /// How many failed, by their codes.
    pub reads_failed: BTreeMap<String, u64>,
    pub writes_failed: BTreeMap<String, u64>,
    /// Longest time that one caller had no success.
    pub read_stall: Duration,
    pub write_stall: Duration,
    /// Requests that another instance had to be asked for.
    pub moved: u64,
    /// Reads that gave less than what had been acknowledged before.
    pub stale: u64,
    pub acknowledged: u64,
    /// Acknowledged writes that are gone.
    pub lost: Vec<String>,
}

impl LoadSummary {
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

    /// Leaves a line for the documentation, where one is asked for. `what` is what is broken, `fault` how.
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

    #[track_caller]
    pub fn expect_no_failed_read(&self) -> &Self {
        assert!(self.reads_failed.is_empty(), "reads failed: {self:?}");
        self
    }

    #[track_caller]
    pub fn expect_no_failed_write(&self) -> &Self {
        assert!(self.writes_failed.is_empty(), "writes failed: {self:?}");
        self
    }

    /// Writes failed, if at all, with these codes.
    #[track_caller]
    pub fn expect_writes_failed_only_with(&self, codes: &[&str]) -> &Self {
        assert!(self.writes_failed.keys().all(|code| codes.contains(&code.as_str())), "{self:?}");
        self
    }

    #[track_caller]
    pub fn expect_reads_failed_only_with(&self, codes: &[&str]) -> &Self {
        assert!(self.reads_failed.keys().all(|code| codes.contains(&code.as_str())), "{self:?}");
        self
    }

    #[track_caller]
    pub fn expect_nothing_lost(&self) -> &Self {
        assert!(self.lost.is_empty(), "acknowledged writes were lost: {self:?}");
        self
    }

    /// No caller was without success for longer; far more than it takes.
    #[track_caller]
    pub fn expect_stalls_within(&self, reads: Duration, writes: Duration) -> &Self {
        assert!(self.read_stall <= reads && self.write_stall <= writes, "too long without success: {self:?}");
        self
    }
}
