//! What a load test has seen, as a table and as JSON.

use crate::cli::table::{Column, Side, table};
use hdrhistogram::Histogram;
use serde_json::{Map, Value, json};
use std::{collections::BTreeMap, fmt::Write, time::Duration};

/// Kinds of failures that are told apart.
const FAILURES_MAX: usize = 50;

/// Latencies in microseconds, within a thousandth.
pub struct Latencies(Histogram<u64>);

impl Default for Latencies {
    fn default() -> Self {
        Self(Histogram::new(3).expect("3 is a precision"))
    }
}

impl Latencies {
    pub fn note(&mut self, took: Duration) {
        // It grows by itself: no value is too large for it.
        self.0 += u64::try_from(took.as_micros()).unwrap_or(u64::MAX).max(1);
    }

    fn values(&self) -> [u64; 5] {
        let at = |quantile: f64| self.0.value_at_quantile(quantile);
        [at(0.5), at(0.9), at(0.99), at(0.999), self.0.max()]
    }

    fn document(&self, took: Duration) -> Value {
        let [p50, p90, p99, p999, max] = self.values();
        json!({
            "requests": self.0.len(),
            "per_second": rate(self.0.len(), took),
            "p50_us": p50, "p90_us": p90, "p99_us": p99, "p999_us": p999, "max_us": max,
        })
    }
}

#[derive(Default)]
pub struct Figures {
    pub reads: Latencies,
    pub writes: Latencies,
    failures: Latencies,
    /// How often each failure was seen.
    codes: BTreeMap<String, u64>,
    /// READs that found nothing.
    pub misses: u64,
    /// Were due, but their connection still waited for an answer when the time was over.
    pub not_sent: u64,
    /// Were due while their connection rested.
    pub held_back: u64,
    /// How long connections rested after failures, all together.
    pub rested: Duration,
}

impl Figures {
    pub fn note_failure(&mut self, code: String, took: Duration) {
        self.failures.note(took);
        self.count(code, 1);
    }

    fn count(&mut self, code: String, times: u64) {
        let known = self.codes.len() < FAILURES_MAX || self.codes.contains_key(&code);
        *self.codes.entry(if known { code } else { "others".to_owned() }).or_default() += times;
    }

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
        self.held_back += other.held_back;
        self.rested += other.rested;
    }

    /// Requests that were answered as they should be.
    pub fn answered(&self) -> u64 {
        self.reads.0.len() + self.writes.0.len()
    }

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
            let _ = writeln!(text, "{} READs found nothing.", self.misses);
        }
        if self.not_sent > 0 {
            let _ = writeln!(
                text,
                "{} requests were due and never sent, for their connections still waited for answers: the service, or this machine, \
                 can't keep that rate with so many connections.",
                self.not_sent
            );
        }
        if !self.rested.is_zero() {
            let _ = writeln!(
                text,
                "After failures the connections rested for {:.1} s, all together; {} requests that were due meanwhile were left out.",
                self.rested.as_secs_f64(),
                self.held_back
            );
        }
        if text.is_empty() { text } else { format!("\n{text}") }
    }

    pub fn document(&self, took: Duration) -> Value {
        let commands: Map<String, Value> = [("READ", &self.reads), ("WRITE", &self.writes)]
            .into_iter()
            .filter(|(_, latencies)| !latencies.0.is_empty())
            .map(|(name, latencies)| (name.to_owned(), latencies.document(took)))
            .collect();
        json!({
            "took_secs": took.as_secs_f64(),
            "answered": self.answered(),
            "per_second": rate(self.answered(), took),
            "commands": commands,
            "failed": self.failures.document(took),
            "failures": self.codes,
            "misses": self.misses,
            "not_sent": self.not_sent,
            "held_back": self.held_back,
            "rested_secs": self.rested.as_secs_f64(),
        })
    }
}

fn row(name: &str, latencies: &Latencies, took: Duration) -> Vec<String> {
    let figures = [latencies.0.len().to_string(), format!("{:.0}", rate(latencies.0.len(), took))];
    let times = latencies.values().map(|us| format!("{:.2} ms", Duration::from_micros(us).as_secs_f64() * 1e3));
    [vec![name.to_owned()], figures.to_vec(), times.to_vec()].concat()
}

/// Per second.
#[expect(clippy::cast_precision_loss, reason = "a rate needs no 53 bits")]
fn rate(count: u64, took: Duration) -> f64 {
    count as f64 / took.as_secs_f64().max(1e-9)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_of_connections_add_up() {
        let mut all = Figures::default();
        for ms in [1, 3] {
            let mut one = Figures { misses: 1, ..Figures::default() };
            (0..50).for_each(|_| one.reads.note(Duration::from_millis(ms)));
            one.note_failure("503 shard_unavailable".to_owned(), Duration::from_secs(70));
            all.add(one);
        }
        let document = all.document(Duration::from_secs(10));
        assert_eq!((&document["answered"], &document["per_second"]), (&json!(100), &json!(10.0)));
        assert_eq!(document["failures"], json!({ "503 shard_unavailable": 2 }));
        let [p50, p90, _, _, max] = all.reads.values();
        assert!(p50.abs_diff(1000) <= 1 && p90.abs_diff(3000) <= 3 && max.abs_diff(3000) <= 3, "{p50} {p90} {max}");
        let text = all.text(Duration::from_secs(10));
        assert!(text.contains("2 × 503 shard_unavailable") && text.contains("2 READs found nothing."), "{text}");
    }

    #[test]
    fn kinds_of_failures_have_a_limit() {
        let mut figures = Figures::default();
        (0..1000).for_each(|number| figures.note_failure(format!("{number}"), Duration::ZERO));
        assert_eq!(figures.codes.len(), FAILURES_MAX + 1);
        assert_eq!(figures.codes.values().sum::<u64>(), 1000);
    }
}
