//! The results of a load test, as a table and as JSON.

use crate::cli::table::{Column, Side, table};
use hdrhistogram::Histogram;
use serde_json::{Map, Value, json};
use std::{collections::BTreeMap, fmt::Write, time::Duration};

/// Maximum number of kinds of failures that are counted separately.
const FAILURES_MAX: usize = 50;

/// A histogram of latencies in microseconds, with three significant digits.
pub struct Latencies(Histogram<u64>);

impl Default for Latencies {
    fn default() -> Self {
        Self(Histogram::new(3).expect("3 is a valid precision"))
    }
}

impl Latencies {
    /// Records one latency.
    pub fn record(&mut self, took: Duration) {
        // The histogram grows by itself: no value is too large for it.
        self.0 += u64::try_from(took.as_micros()).unwrap_or(u64::MAX).max(1);
    }

    /// Returns four percentiles and the maximum, in microseconds.
    fn values(&self) -> [u64; 5] {
        let [p50, p90, p99, p999] = [0.5, 0.9, 0.99, 0.999].map(|quantile| self.0.value_at_quantile(quantile));
        [p50, p90, p99, p999, self.0.max()]
    }

    fn to_json(&self, took: Duration) -> Value {
        let [p50, p90, p99, p999, max] = self.values();
        json!({
            "requests": self.0.len(),
            "per_second": rate(self.0.len(), took),
            "p50_us": p50, "p90_us": p90, "p99_us": p99, "p999_us": p999, "max_us": max,
        })
    }
}

/// All results of a load test.
#[derive(Default)]
pub struct BenchResult {
    /// Latencies of successful READs.
    pub reads: Latencies,
    /// Latencies of successful WRITEs.
    pub writes: Latencies,
    failures: Latencies,
    /// Number of failures of each kind.
    codes: BTreeMap<String, u64>,
    /// READs of keys that did not exist.
    pub misses: u64,
    /// Requests that were due and not sent, because their connection still waited for an answer at the end.
    pub not_sent: u64,
    /// Requests that were due during the backoff of their connection and were not sent. JSON has them as `held_back`.
    pub skipped: u64,
    /// Total time for which connections sent nothing after failures. JSON has it as `rested_secs`.
    pub backoff: Duration,
}

impl BenchResult {
    /// Records a failed request.
    pub fn record_failure(&mut self, code: String, took: Duration) {
        self.failures.record(took);
        self.count(code, 1);
    }

    /// Counts failures of one kind; surplus kinds are counted together.
    fn count(&mut self, code: String, times: u64) {
        let known = self.codes.len() < FAILURES_MAX || self.codes.contains_key(&code);
        *self.codes.entry(if known { code } else { "others".to_owned() }).or_default() += times;
    }

    /// Adds the results of another connection.
    pub fn add(&mut self, other: Self) {
        for (own, other) in
            [(&mut self.reads, other.reads), (&mut self.writes, other.writes), (&mut self.failures, other.failures)]
        {
            own.0 += other.0;
        }
        for (code, times) in other.codes {
            self.count(code, times);
        }
        self.misses += other.misses;
        self.not_sent += other.not_sent;
        self.skipped += other.skipped;
        self.backoff += other.backoff;
    }

    /// Returns the number of successful requests.
    pub fn answered(&self) -> u64 {
        self.reads.0.len() + self.writes.0.len()
    }

    /// Formats the results for people.
    pub fn text(&self, took: Duration) -> String {
        let columns = [
            Column("", Side::Left),
            Column("REQUESTS", Side::Right),
            Column("PER SECOND", Side::Right),
            Column("P50", Side::Right),
            Column("P90", Side::Right),
            Column("P99", Side::Right),
            Column("P99.9", Side::Right),
            Column("MAX", Side::Right),
        ];
        let mut all = Latencies::default();
        all.0 += &self.reads.0;
        all.0 += &self.writes.0;
        let parts = [("READ", &self.reads), ("WRITE", &self.writes), ("both", &all), ("failed", &self.failures)];
        let rows: Vec<_> = parts
            .into_iter()
            .filter(|(_, latencies)| !latencies.0.is_empty())
            .map(|(name, latencies)| row(name, latencies, took))
            .collect();
        let mut text = table(&columns, &rows);
        if !self.codes.is_empty() {
            text.push_str("\nFailures:\n");
        }
        for (code, times) in &self.codes {
            let _ = writeln!(text, "  {times} × {code}");
        }
        text.push_str(&self.remarks());
        text
    }

    fn remarks(&self) -> String {
        let mut text = String::new();
        if self.misses > 0 {
            let _ = writeln!(text, "{} READs found no value.", self.misses);
        }
        if self.not_sent > 0 {
            let _ = writeln!(
                text,
                "{} requests were due and never sent, because their connections still waited for answers: the service or this \
                 machine cannot keep that rate with this number of connections.",
                self.not_sent
            );
        }
        if !self.backoff.is_zero() {
            let _ = writeln!(
                text,
                "After failures the connections rested for {:.1} s in total; {} requests that were due meanwhile were left out.",
                self.backoff.as_secs_f64(),
                self.skipped
            );
        }
        if text.is_empty() { text } else { format!("\n{text}") }
    }

    /// Returns the results as JSON.
    pub fn to_json(&self, took: Duration) -> Value {
        let commands: Map<String, Value> = [("READ", &self.reads), ("WRITE", &self.writes)]
            .into_iter()
            .filter(|(_, latencies)| !latencies.0.is_empty())
            .map(|(name, latencies)| (name.to_owned(), latencies.to_json(took)))
            .collect();
        json!({
            "took_secs": took.as_secs_f64(),
            "answered": self.answered(),
            "per_second": rate(self.answered(), took),
            "commands": commands,
            "failed": self.failures.to_json(took),
            "failures": self.codes,
            "misses": self.misses,
            "not_sent": self.not_sent,
            "held_back": self.skipped,
            "rested_secs": self.backoff.as_secs_f64(),
        })
    }
}

fn row(name: &str, latencies: &Latencies, took: Duration) -> Vec<String> {
    let figures = [latencies.0.len().to_string(), format!("{:.0}", rate(latencies.0.len(), took))];
    let times = latencies.values().map(|us| format!("{:.2} ms", Duration::from_micros(us).as_secs_f64() * 1e3));
    [vec![name.to_owned()], figures.to_vec(), times.to_vec()].concat()
}

/// Returns a rate per second.
#[expect(clippy::cast_precision_loss, reason = "a rate is not exact anyway")]
fn rate(count: u64, took: Duration) -> f64 {
    count as f64 / took.as_secs_f64().max(1e-9)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_of_connections_are_added() {
        let mut all = BenchResult::default();
        for ms in [1, 3] {
            let mut one = BenchResult { misses: 1, ..BenchResult::default() };
            (0..50).for_each(|_| one.reads.record(Duration::from_millis(ms)));
            one.record_failure("503 shard_unavailable".to_owned(), Duration::from_secs(70));
            all.add(one);
        }
        let document = all.to_json(Duration::from_secs(10));
        assert_eq!((&document["answered"], &document["per_second"]), (&json!(100), &json!(10.0)));
        assert_eq!(document["failures"], json!({ "503 shard_unavailable": 2 }));
        let [p50, p90, _, _, max] = all.reads.values();
        assert!(p50.abs_diff(1000) <= 1 && p90.abs_diff(3000) <= 3 && max.abs_diff(3000) <= 3, "{p50} {p90} {max}");
        let text = all.text(Duration::from_secs(10));
        assert!(text.contains("2 × 503 shard_unavailable") && text.contains("2 READs found no value."), "{text}");
    }

    #[test]
    fn the_number_of_failure_kinds_is_limited() {
        let mut figures = BenchResult::default();
        (0..1000).for_each(|number| figures.record_failure(format!("{number}"), Duration::ZERO));
        assert_eq!(figures.codes.len(), FAILURES_MAX + 1);
        assert_eq!(figures.codes.values().sum::<u64>(), 1000);
    }
}
