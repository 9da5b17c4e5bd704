//! How much happened lately: the counters as they were every two seconds, and what lies between.

use super::snapshot::{Point, Rate, Rates, rounded};
use crate::{
    store::NodeStatus,
    telemetry::{
        events::{EventKind, Events, now_ms},
        metrics::{Buckets, Tally, quantile_us},
    },
};
use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};
use tokio::time::Instant;

pub const STEP: Duration = Duration::from_secs(2);
/// Five minutes.
const SAMPLES_MAX: usize = 151;
const TEN_SECS: Duration = Duration::from_secs(10);
const MINUTE: Duration = Duration::from_secs(60);
/// Overload has ended when nothing was refused for so many steps.
const QUIET_STEPS: u32 = 5;

/// All counters at one time.
#[derive(Clone)]
pub struct HistorySample {
    pub at: Instant,
    pub at_ms: u64,
    pub tally: Tally,
    pub near_hits: u64,
    pub near_misses: u64,
    /// Requests that were refused at once.
    pub sheds: u64,
    /// By [`NodeSurvey::id`].
    pub nodes: HashMap<u64, NodeCounts>,
}

#[derive(Clone, Copy)]
pub struct NodeCounts {
    durations: Buckets,
    failures: u64,
}

impl NodeCounts {
    pub fn of(node: &NodeStatus) -> Self {
        Self { durations: node.durations, failures: node.failures }
    }
}

/// What a node did over some time.
#[derive(Default)]
pub struct NodeRate {
    pub answers_per_sec: f64,
    pub failures_per_sec: f64,
    pub p50_us: Option<f64>,
    pub p99_us: Option<f64>,
}

#[derive(Default)]
pub struct History {
    /// The oldest first.
    samples: VecDeque<HistorySample>,
    overload: Option<Overload>,
}

struct Overload {
    /// What had been refused when it began.
    from: u64,
    quiet_steps: u32,
}

impl History {
    pub fn push(&mut self, sample: HistorySample, events: &Events) {
        let before = self.samples.back().map_or(0, |last| last.sheds);
        self.note_overload(before, sample.sheds, events);
        if self.samples.len() >= SAMPLES_MAX {
            self.samples.pop_front();
        }
        self.samples.push_back(sample);
        // Of nodes only the last ten seconds are shown.
        let old = self.samples.len().saturating_sub(8);
        self.samples.iter_mut().take(old).for_each(|sample| sample.nodes = HashMap::new());
    }

    /// Requests that are refused come in floods; that they begin and end is the news.
    fn note_overload(&mut self, before: u64, now: u64, events: &Events) {
        match &mut self.overload {
            None if now > before => {
                tracing::warn!("overload: requests are refused at once");
                events.record(EventKind::OverloadBegan, "there is too much to do: requests are refused at once");
                self.overload = Some(Overload { from: before, quiet_steps: 0 });
            }
            Some(overload) if now > before => overload.quiet_steps = 0,
            Some(overload) => {
                overload.quiet_steps += 1;
                if overload.quiet_steps >= QUIET_STEPS {
                    let refused = now - overload.from;
                    tracing::info!(refused, "the overload has ended");
                    events.record(EventKind::OverloadEnded, format!("no request is refused any more; {refused} were"));
                    self.overload = None;
                }
            }
            None => {}
        }
    }

    /// Up to now, which is a sample that need not be kept.
    pub fn rates(&self, now: &HistorySample) -> Rates {
        let over = |span| self.ago(now, span).map_or_else(Rate::default, |then| rate(then, now));
        Rates { last_10_secs: over(TEN_SECS), last_minute: over(MINUTE) }
    }

    pub fn points(&self) -> Vec<Point> {
        let pairs = self.samples.iter().zip(self.samples.iter().skip(1));
        pairs.map(|(then, now)| Point { at_ms: now.at_ms, rate: rate(then, now) }).collect()
    }

    pub fn node_rate(&self, now: &HistorySample, id: u64) -> NodeRate {
        let then = self.ago(now, TEN_SECS);
        let Some((then, counts)) = then.zip(now.nodes.get(&id)) else { return NodeRate::default() };
        let before = then.nodes.get(&id).copied().unwrap_or(NodeCounts { durations: Buckets::default(), failures: 0 });
        let durations = difference(&before.durations, &counts.durations);
        let per_sec = |count: u64| per_sec(count, now.at - then.at);
        NodeRate {
            answers_per_sec: per_sec(durations.iter().sum()),
            failures_per_sec: per_sec(counts.failures.saturating_sub(before.failures)),
            p50_us: quantile_us(&durations, 0.5).map(rounded),
            p99_us: quantile_us(&durations, 0.99).map(rounded),
        }
    }

    /// The youngest sample that is so old, or the oldest that there is; a moment is too short to say anything.
    fn ago(&self, now: &HistorySample, span: Duration) -> Option<&HistorySample> {
        let age = |sample: &HistorySample| now.at.saturating_duration_since(sample.at);
        let found = self.samples.iter().rev().find(|sample| age(sample) >= span).or(self.samples.front());
        found.filter(|sample| age(sample) >= Duration::from_millis(100))
    }
}

fn rate(then: &HistorySample, now: &HistorySample) -> Rate {
    let span = now.at.saturating_duration_since(then.at);
    let durations = difference(&then.tally.durations, &now.tally.durations);
    let counted = |read: fn(&HistorySample) -> u64| read(now).saturating_sub(read(then));
    let (hits, misses) = (counted(|sample| sample.near_hits), counted(|sample| sample.near_misses));
    Rate {
        requests_per_sec: per_sec(counted(|sample| sample.tally.requests), span),
        commands_per_sec: per_sec(counted(|sample| sample.tally.commands), span),
        errors_per_sec: per_sec(counted(|sample| sample.tally.errors), span),
        p50_us: quantile_us(&durations, 0.5).map(rounded),
        p99_us: quantile_us(&durations, 0.99).map(rounded),
        near_hits: ratio(hits, hits + misses),
    }
}

fn difference(then: &Buckets, now: &Buckets) -> Buckets {
    std::array::from_fn(|bucket| now[bucket].saturating_sub(then[bucket]))
}

#[expect(clippy::cast_precision_loss, reason = "a figure for people")]
fn per_sec(count: u64, span: Duration) -> f64 {
    rounded(count as f64 / span.as_secs_f64().max(0.001))
}

#[expect(clippy::cast_precision_loss, reason = "a figure for people")]
fn ratio(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| rounded(part as f64 / whole as f64))
}

impl HistorySample {
    pub fn new(tally: Tally, near: (u64, u64), sheds: u64, nodes: HashMap<u64, NodeCounts>) -> Self {
        let (near_hits, near_misses) = near;
        Self { at: Instant::now(), at_ms: now_ms(), tally, near_hits, near_misses, sheds, nodes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(start: Instant, secs: u64, requests: u64, sheds: u64) -> HistorySample {
        let tally = Tally { requests, commands: requests, ..Tally::default() };
        let sample = HistorySample::new(tally, (requests / 4 * 3, requests / 4), sheds, HashMap::new());
        HistorySample { at: start + Duration::from_secs(secs), ..sample }
    }

    #[test]
    fn rates_are_those_of_the_time_that_they_name_and_no_more_is_kept_than_shown() {
        let (mut history, events, start) = (History::default(), Events::default(), Instant::now());
        // First 100 a second, then 10.
        for second in (0..1000).step_by(2) {
            let requests = if second <= 900 { second * 100 } else { 90_000 + (second - 900) * 10 };
            history.push(sample(start, second, requests, 0), &events);
        }
        assert_eq!((history.samples.len(), history.points().len()), (SAMPLES_MAX, SAMPLES_MAX - 1));
        let rates = history.rates(&sample(start, 1000, 91_000, 0));
        assert!((rates.last_10_secs.requests_per_sec - 10.0).abs() < 0.1, "{rates:?}");
        assert!((rates.last_minute.requests_per_sec - 10.0).abs() < 0.1, "{rates:?}");
        assert!(rates.last_minute.near_hits.is_some_and(|ratio| (0.7..0.8).contains(&ratio)), "{rates:?}");
        assert!((history.points()[0].rate.requests_per_sec - 100.0).abs() < 0.1);
        assert_eq!(rates.last_minute.p50_us, None);
    }

    #[test]
    fn overload_is_told_when_it_begins_and_when_it_has_ended() {
        let (mut history, events, start) = (History::default(), Events::default(), Instant::now());
        for (step, sheds) in [0, 5, 9, 9, 9, 20, 20, 20, 20, 20, 20, 20].into_iter().enumerate() {
            history.push(sample(start, 2 * step as u64, 0, sheds), &events);
        }
        let told: Vec<EventKind> = events.list().iter().map(|event| event.kind).collect();
        assert_eq!(told, [EventKind::OverloadEnded, EventKind::OverloadBegan]);
        assert!(events.list()[0].text.contains("20 were"), "{:?}", events.list());
    }
}
