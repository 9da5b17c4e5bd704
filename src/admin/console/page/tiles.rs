//! The most important numbers, each with a chart.

use super::chart::spark;
use crate::admin::console::{
    format::{NOTHING, bytes, count, figure, micros, micros_or_nothing, percent},
    html::{HtmlElement, el},
    snapshot::{ConsoleSnapshot, Rate},
};

/// Returns all tiles.
pub fn tiles(snapshot: &ConsoleSnapshot) -> HtmlElement {
    el("section")
        .class("tiles")
        .child(el("h2").class("unseen").text("Live figures"))
        .children([requests(snapshot), latency(snapshot), errors(snapshot)])
        .children(near_cache(snapshot))
        .children(inspection(snapshot))
}

fn values(snapshot: &ConsoleSnapshot, read: impl Fn(&Rate) -> Option<f64>) -> Vec<Option<f64>> {
    snapshot.history.iter().map(|point| read(&point.rate)).collect()
}

fn highest(values: &[Option<f64>]) -> f64 {
    values.iter().flatten().copied().fold(0.0, f64::max)
}

fn tile(
    name: &str,
    shown: &str,
    unit: &str,
    notes: &[String],
    chart: impl IntoIterator<Item = HtmlElement>,
) -> HtmlElement {
    el("article")
        .class("tile")
        .child(el("h3").text(name))
        .child(el("p").class("big").child(el("strong").text(shown)).child(el("span").text(unit)))
        .children(chart)
        .children(notes.iter().map(|note| el("p").class("note").text(note)))
}

fn requests(snapshot: &ConsoleSnapshot) -> HtmlElement {
    let values = values(snapshot, |rate| Some(rate.requests_per_sec));
    let (now, minute) = (&snapshot.rates.last_10_secs, &snapshot.rates.last_minute);
    let top = highest(&values);
    let description = format!("Requests per second over the last five minutes, at most {}", figure(top));
    let notes = [
        format!("{}/s over a minute", figure(minute.requests_per_sec)),
        format!("{} commands/s", figure(now.commands_per_sec)),
    ];
    let chart = spark(&description, top, &[("accent", values)]);
    tile("Requests", &figure(now.requests_per_sec), "per second", &notes, [chart])
}

fn latency(snapshot: &ConsoleSnapshot) -> HtmlElement {
    let (middle, late) = (values(snapshot, |rate| rate.p50_us), values(snapshot, |rate| rate.p99_us));
    let now = &snapshot.rates.last_10_secs;
    let top = highest(&late);
    let description =
        format!("Latency over the last five minutes, median and 99th percentile, at most {}", micros(top));
    let notes =
        [format!("p99 {}", micros_or_nothing(now.p99_us)), format!("{} in progress", count(snapshot.in_progress))];
    let chart = spark(&description, top, &[("accent", middle), ("second", late)]);
    let shown = micros_or_nothing(now.p50_us);
    let (number, unit) = shown.split_once(' ').unwrap_or((&shown, ""));
    tile("Latency", number, &format!("{unit} median"), &notes, [chart])
}

fn errors(snapshot: &ConsoleSnapshot) -> HtmlElement {
    let values = values(snapshot, |rate| Some(rate.errors_per_sec));
    let (now, minute) = (&snapshot.rates.last_10_secs, &snapshot.rates.last_minute);
    let top = highest(&values);
    let description = format!("Errors per second over the last five minutes, at most {}", figure(top));
    let notes = [format!("{}/s over a minute", figure(minute.errors_per_sec)), "without errors of callers".to_owned()];
    let chart = spark(&description, top.max(1.0), &[(if top > 0.0 { "alarm" } else { "accent" }, values)]);
    tile("Errors", &figure(now.errors_per_sec), "per second", &notes, [chart])
}

fn near_cache(snapshot: &ConsoleSnapshot) -> Option<HtmlElement> {
    let near = snapshot.near_cache.as_ref()?;
    let values = values(snapshot, |rate| rate.near_hits);
    let hits = snapshot.rates.last_10_secs.near_hits;
    let description = "Hit ratio of the near cache over the last five minutes, from 0 to 100 %";
    let room = u64::try_from(near.bytes_max).unwrap_or(u64::MAX);
    let notes = [format!("{} entries", count(near.entries)), format!("{} of {}", bytes(near.bytes), bytes(room))];
    let shown = hits.map_or_else(|| NOTHING.to_owned(), percent);
    let (number, unit) = shown.split_once(' ').unwrap_or((&shown, ""));
    let chart = spark(description, 1.0, &[("accent", values)]);
    Some(tile("Near cache", number, &format!("{unit} of lookups"), &notes, [chart]))
}

fn inspection(snapshot: &ConsoleSnapshot) -> Option<HtmlElement> {
    let inspection = snapshot.inspection.as_ref()?;
    let [answers, changes, older] = [inspection.answers, inspection.changes, inspection.older_than_promised]
        .map(|number| count(usize::try_from(number).unwrap_or(usize::MAX)));
    let notes = [
        format!("{answers} answers and {changes} changes compared with the master"),
        format!("p99 of the age of answers {}", micros_or_nothing(inspection.age_p99_us)),
    ];
    Some(tile("Freshness", &older, "answers older than promised", &notes, []))
}
