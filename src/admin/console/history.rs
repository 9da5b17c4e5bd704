//! The recent past: samples of all counters, one every two seconds, and the rates between them.

use super::{
    sample::{HistorySample, NodeCounts, SampleDetails},
    snapshot::{Point, Rate, Rates, rounded},
};
use crate::telemetry::{
    events::{EventKind, Events},
    metrics::{Buckets, quantile_us},
};
use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

/// Time between two samples.
pub const STEP: Duration = Duration::from_secs(2);
/// Maximum number of samples in the history: those of five minutes.
const SAMPLES_MAX: usize = 151;
/// One sample of this many is kept for an hour.
const HOUR_ONE_OF: u64 = 5;
/// Maximum number of samples that are kept for an hour.
const HOUR_SAMPLES_MAX: usize = 361;
/// Maximum number of points that a chart shows, and a few.
const POINTS_MAX: usize = 121;
const TEN_SECS: Duration = Duration::from_secs(10);
const MINUTE: Duration = Duration::from_secs(60);
/// Maximum number of samples that have nodes: the console shows only the last ten seconds of a node.
const SAMPLES_WITH_NODES_MAX: usize = 8;
/// Maximum number of samples that have details: the console shows the errors of the last minute.
const SAMPLES_WITH_DETAILS_MAX: usize = 33;
/// Rates over a shorter time would be noise.
const SPAN_MIN: Duration = Duration::from_millis(100);
/// Steps without a refused request after which an overload has ended.
const QUIET_STEPS: u32 = 5;

/// The rates of a node over a span of time.
#[derive(Default)]
pub struct NodeRate {
    /// Replies per second.
    pub answers_per_sec: f64,
    /// Failures per second.
    pub failures_per_sec: f64,
    /// The median time to a reply in microseconds.
    pub p50_us: Option<f64>,
    /// The 99th percentile of the time to a reply in microseconds.
    pub p99_us: Option<f64>,
}

/// The samples of the last minutes.
#[derive(Default)]
pub struct History {
    /// The samples of the last minutes, the oldest first.
    samples: VecDeque<HistorySample>,
    /// The samples of the last hour with their numbers, the oldest first.
    hour: VecDeque<(u64, HistorySample)>,
    /// The number of samples so far.
    pushed: u64,
    overload: Option<Overload>,
}

struct Overload {
    /// The requests that had been refused when the overload began.
    sheds_before: u64,
    quiet_steps: u32,
}

impl History {
    /// Adds a sample, and records an overload that it shows.
    pub fn push(&mut self, sample: HistorySample, events: &Events) {
        let before = self.samples.back().map_or(0, |last| last.sheds);
        self.observe_overload(before, sample.sheds, events);
        if self.samples.len() >= SAMPLES_MAX {
            self.samples.pop_front();
        }
        if self.pushed.is_multiple_of(HOUR_ONE_OF) {
            if self.hour.len() >= HOUR_SAMPLES_MAX {
                self.hour.pop_front();
            }
            self.hour.push_back((self.pushed / HOUR_ONE_OF, sample.without_details()));
        }
        self.pushed += 1;
        self.samples.push_back(sample);
        let old = self.samples.len().saturating_sub(SAMPLES_WITH_DETAILS_MAX);
        self.samples.iter_mut().take(old).for_each(|sample| sample.details = SampleDetails::default());
        let old = self.samples.len().saturating_sub(SAMPLES_WITH_NODES_MAX);
        self.samples.iter_mut().take(old).for_each(|sample| sample.details.nodes = HashMap::new());
    }

    /// Records the begin and the end of an overload, instead of each refused request.
    fn observe_overload(&mut self, before: u64, now: u64, events: &Events) {
        match &mut self.overload {
            None if now > before => {
                tracing::warn!("the service is overloaded: requests are refused");
                events.record(EventKind::OverloadBegan, "too many requests: some are refused");
                self.overload = Some(Overload { sheds_before: before, quiet_steps: 0 });
            }
            Some(overload) if now > before => overload.quiet_steps = 0,
            Some(overload) => {
                overload.quiet_steps += 1;
                if overload.quiet_steps >= QUIET_STEPS {
                    let refused = now - overload.sheds_before;
                    tracing::info!(refused, "the overload has ended after {refused} refused requests");
                    events.record(
                        EventKind::OverloadEnded,
                        format!("no request is refused any more; {refused} requests were refused"),
                    );
                    self.overload = None;
                }
            }
            None => {}
        }
    }

    /// Returns the rates up to `now`, a sample that need not be in the history.
    pub fn rates(&self, now: &HistorySample) -> Rates {
        Rates { last_10_secs: self.rate_over(TEN_SECS, now), last_minute: self.rate_over(MINUTE, now) }
    }

    fn rate_over(&self, span: Duration, now: &HistorySample) -> Rate {
        self.ago(now, span).map_or_else(Rate::default, |then| rate(then, now))
    }

    /// Returns the rates between the samples, the oldest first.
    pub fn points(&self) -> Vec<Point> {
        points(&self.samples.iter().collect::<Vec<_>>())
    }

    /// Returns the rates of the last hour, or since the start, the oldest first. The points are fewer than the samples: a
    /// sample is used if its number is a multiple of the step, so that the points stay as they are when others come.
    pub fn hour(&self) -> Vec<Point> {
        let step = self.hour.len().div_ceil(POINTS_MAX).max(1) as u64;
        let used = self.hour.iter().filter(|(number, _)| number.is_multiple_of(step)).map(|(_, sample)| sample);
        let mut used: Vec<&HistorySample> = used.collect();
        // The last point is as new as the numbers beside the chart.
        if let Some(last) = self.samples.back().filter(|last| used.last().is_none_or(|used| last.at > used.at)) {
            used.push(last);
        }
        points(&used)
    }

    /// Returns the sample of ten seconds ago, or else the oldest one.
    pub fn ten_secs_ago(&self, now: &HistorySample) -> Option<&HistorySample> {
        self.ago(now, TEN_SECS)
    }

    /// Returns the number of errors in the last minute, in the order of their codes.
    pub fn errors_of_last_minute(&self, now: &HistorySample) -> Vec<u64> {
        let then = self.ago(now, MINUTE).map(|then| &then.details.errors[..]).unwrap_or_default();
        let before = then.iter().copied().chain(std::iter::repeat(0));
        now.details.errors.iter().zip(before).map(|(count, before)| count.saturating_sub(before)).collect()
    }

    /// Returns the commands per second that failed because of a shard, over the last ten seconds.
    pub fn shard_failures(&self, now: &HistorySample, shard: &str) -> f64 {
        let Some(then) = self.ago(now, TEN_SECS) else { return 0.0 };
        let count = now.details.shard_failures.get(shard).copied().unwrap_or(0);
        let before = then.details.shard_failures.get(shard).copied().unwrap_or(0);
        per_sec(count.saturating_sub(before), now.age(then))
    }

    /// Returns the rates of a node over the last ten seconds.
    pub fn node_rate(&self, now: &HistorySample, id: u64) -> NodeRate {
        let then = self.ago(now, TEN_SECS);
        let Some((then, counts)) = then.zip(now.details.nodes.get(&id)) else { return NodeRate::default() };
        let before =
            then.details.nodes.get(&id).copied().unwrap_or(NodeCounts { durations: Buckets::default(), failures: 0 });
        let durations = difference(&before.durations, &counts.durations);
        let span = now.at - then.at;
        NodeRate {
            answers_per_sec: per_sec(durations.iter().sum(), span),
            failures_per_sec: per_sec(counts.failures.saturating_sub(before.failures), span),
            p50_us: quantile_us(&durations, 0.5).map(rounded),
            p99_us: quantile_us(&durations, 0.99).map(rounded),
        }
    }

    /// Returns the youngest sample that is `span` old, or else the oldest one.
    fn ago(&self, now: &HistorySample, span: Duration) -> Option<&HistorySample> {
        let found = self.samples.iter().rev().find(|sample| now.age(sample) >= span).or(self.samples.front());
        found.filter(|sample| now.age(sample) >= SPAN_MIN)
    }
}

/// Returns the rates between samples, the oldest first.
fn points(samples: &[&HistorySample]) -> Vec<Point> {
    let pairs = samples.iter().zip(samples.iter().skip(1));
    pairs.map(|(then, now)| Point { at_ms: now.at_ms, rate: rate(then, now) }).collect()
}

fn rate(then: &HistorySample, now: &HistorySample) -> Rate {
    let span = now.age(then);
    let durations = difference(&then.tally.durations, &now.tally.durations);
    let hits = now.near_hits.saturating_sub(then.near_hits);
    let misses = now.near_misses.saturating_sub(then.near_misses);
    let found = now.tally.reads_found.saturating_sub(then.tally.reads_found);
    let not_found = now.tally.reads_not_found.saturating_sub(then.tally.reads_not_found);
    Rate {
        requests_per_sec: per_sec(now.tally.requests.saturating_sub(then.tally.requests), span),
        commands_per_sec: per_sec(now.tally.commands.saturating_sub(then.tally.commands), span),
        errors_per_sec: per_sec(now.tally.errors.saturating_sub(then.tally.errors), span),
        p50_us: quantile_us(&durations, 0.5).map(rounded),
        p99_us: quantile_us(&durations, 0.99).map(rounded),
        near_hits: ratio(hits, hits + misses),
        hits: ratio(found, found + not_found),
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
/// Returns a part of a whole as a number from 0 to 1; `None` if the whole is 0.
pub fn ratio(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| rounded(part as f64 / whole as f64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::metrics::Tally;
    use tokio::time::Instant;

    fn sample(start: Instant, secs: u64, requests: u64, sheds: u64) -> HistorySample {
        let tally = Tally { requests, commands: requests, ..Tally::default() };
        let sample = HistorySample::new(tally, (requests / 4 * 3, requests / 4), sheds, SampleDetails::default());
        HistorySample { at: start + Duration::from_secs(secs), ..sample }
    }

    #[test]
    fn rates_cover_the_time_that_they_name() {
        let (mut history, events, start) = (History::default(), Events::default(), Instant::now());
        // 100 requests per second, later 10.
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
        let hour = history.hour();
        assert_eq!(hour.len(), 100, "one of 500 samples in five");
        assert!(
            (hour[0].rate.requests_per_sec - 100.0).abs() < 0.1 && (hour[99].rate.requests_per_sec - 10.0).abs() < 0.1
        );
        for second in (1000..9000).step_by(2) {
            history.push(sample(start, second, 100_000, 0), &events);
        }
        let hour = history.hour();
        assert!((110..=POINTS_MAX + 1).contains(&hour.len()), "{}", hour.len());
    }

    #[test]
    fn an_overload_is_recorded_when_it_begins_and_when_it_ends() {
        let (mut history, events, start) = (History::default(), Events::default(), Instant::now());
        for (step, sheds) in [0, 5, 9, 9, 9, 20, 20, 20, 20, 20, 20, 20].into_iter().enumerate() {
            history.push(sample(start, 2 * step as u64, 0, sheds), &events);
        }
        let recorded: Vec<EventKind> = events.list().iter().map(|event| event.kind).collect();
        assert_eq!(recorded, [EventKind::OverloadEnded, EventKind::OverloadBegan]);
        assert!(events.list()[0].text.contains("20 requests were refused"), "{:?}", events.list());
    }
}
