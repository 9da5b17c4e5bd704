//! The most important numbers, each with a chart.

use super::{
    chart::{Chart, ChartLine, ChartSpan},
    runbook,
};
use crate::admin::console::{
    format::{NOTHING, bytes, count, figure, micros, micros_or_nothing, percent},
    html::{HtmlElement, el},
    runbook::Runbook,
    snapshot::{ConsoleSnapshot, Rate},
};

/// Returns all tiles.
pub fn tiles(snapshot: &ConsoleSnapshot) -> HtmlElement {
    el("section")
        .class("tiles")
        .child(el("h2").class("unseen").text("Live figures"))
        .children([requests(snapshot), latency(snapshot), errors(snapshot), hits(snapshot)])
        .children(near_cache(snapshot))
        .children(process(snapshot))
        .children(inspection(snapshot))
}

fn values(snapshot: &ConsoleSnapshot, read: impl Fn(&Rate) -> Option<f64>) -> Vec<Option<f64>> {
    snapshot.hour.iter().map(|point| read(&point.rate)).collect()
}

fn highest(values: &[Option<f64>]) -> f64 {
    values.iter().flatten().copied().fold(0.0, f64::max)
}

fn shown(snapshot: &ConsoleSnapshot, text: impl Fn(&Rate) -> String) -> Vec<String> {
    snapshot.hour.iter().map(|point| text(&point.rate)).collect()
}

/// Returns the beginning of a chart's description.
fn over(snapshot: &ConsoleSnapshot, what: &str) -> String {
    format!("{what} over the last {}", ChartSpan::of(&snapshot.hour).words())
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
    let notes = [
        format!("{}/s over a minute", figure(minute.requests_per_sec)),
        format!("{} commands/s", figure(now.commands_per_sec)),
    ];
    let chart = Chart {
        description: format!("{}, at most {}", over(snapshot, "Requests per second"), figure(top)),
        max: top,
        max_shown: format!("{}/s", figure(top)),
        lines: vec![ChartLine { class: "accent", values }],
        shown: shown(snapshot, |rate| format!("{} requests/s", figure(rate.requests_per_sec))),
    };
    tile("Requests", &figure(now.requests_per_sec), "per second", &notes, [chart.draw(&snapshot.hour)])
}

fn latency(snapshot: &ConsoleSnapshot) -> HtmlElement {
    let (middle, late) = (values(snapshot, |rate| rate.p50_us), values(snapshot, |rate| rate.p99_us));
    let now = &snapshot.rates.last_10_secs;
    let top = highest(&late);
    let notes =
        [format!("p99 {}", micros_or_nothing(now.p99_us)), format!("{} in progress", count(snapshot.in_progress))];
    let chart = Chart {
        description: format!("{}, median and 99th percentile, at most {}", over(snapshot, "Latency"), micros(top)),
        max: top,
        max_shown: micros(top),
        lines: vec![ChartLine { class: "accent", values: middle }, ChartLine { class: "second", values: late }],
        shown: shown(snapshot, |rate| {
            format!("median {}, p99 {}", micros_or_nothing(rate.p50_us), micros_or_nothing(rate.p99_us))
        }),
    };
    let shown = micros_or_nothing(now.p50_us);
    let (number, unit) = shown.split_once(' ').unwrap_or((&shown, ""));
    tile("Latency", number, &format!("{unit} median"), &notes, [chart.draw(&snapshot.hour)])
}

fn errors(snapshot: &ConsoleSnapshot) -> HtmlElement {
    let values = values(snapshot, |rate| Some(rate.errors_per_sec));
    let (now, minute) = (&snapshot.rates.last_10_secs, &snapshot.rates.last_minute);
    let top = highest(&values);
    let notes = [format!("{}/s over a minute", figure(minute.errors_per_sec)), "without errors of callers".to_owned()];
    let chart = Chart {
        description: format!("{}, at most {}", over(snapshot, "Errors per second"), figure(top)),
        max: top.max(1.0),
        max_shown: format!("{}/s", figure(top.max(1.0))),
        lines: vec![ChartLine { class: if top > 0.0 { "alarm" } else { "accent" }, values }],
        shown: shown(snapshot, |rate| format!("{} errors/s", figure(rate.errors_per_sec))),
    };
    let tile = tile("Errors", &figure(now.errors_per_sec), "per second", &notes, [chart.draw(&snapshot.hour)]);
    if minute.errors_per_sec > 0.0 { tile.child(runbook::link(Runbook::ErrorRatio)) } else { tile }
}

/// Returns the chart of a ratio.
fn ratio_chart(snapshot: &ConsoleSnapshot, what: &str, read: impl Fn(&Rate) -> Option<f64>) -> HtmlElement {
    let chart = Chart {
        description: format!("{}, from 0 to 100 %", over(snapshot, what)),
        max: 1.0,
        max_shown: "100 %".to_owned(),
        shown: shown(snapshot, |rate| read(rate).map_or_else(|| NOTHING.to_owned(), percent)),
        lines: vec![ChartLine { class: "accent", values: values(snapshot, read) }],
    };
    chart.draw(&snapshot.hour)
}

/// Returns a ratio as a number and its unit.
fn ratio_parts(ratio: Option<f64>) -> (String, &'static str) {
    ratio.map_or_else(|| (NOTHING.to_owned(), ""), |ratio| (format!("{:.1}", ratio * 100.0), "% "))
}

fn hits(snapshot: &ConsoleSnapshot) -> HtmlElement {
    let (number, unit) = ratio_parts(snapshot.rates.last_10_secs.hits);
    let minute = snapshot.rates.last_minute.hits.map_or_else(|| NOTHING.to_owned(), percent);
    let notes = [format!("{minute} over a minute"), "keys that READ found".to_owned()];
    let chart = ratio_chart(snapshot, "Hit ratio of READs", |rate| rate.hits);
    tile("Hits", &number, &format!("{unit}of READs"), &notes, [chart])
}

fn near_cache(snapshot: &ConsoleSnapshot) -> Option<HtmlElement> {
    let near = snapshot.near_cache.as_ref()?;
    let room = u64::try_from(near.bytes_max).unwrap_or(u64::MAX);
    let notes = [format!("{} entries", count(near.entries)), format!("{} of {}", bytes(near.bytes), bytes(room))];
    let (number, unit) = ratio_parts(snapshot.rates.last_10_secs.near_hits);
    let chart = ratio_chart(snapshot, "Hit ratio of the near cache", |rate| rate.near_hits);
    Some(tile("Near cache", &number, &format!("{unit}of lookups"), &notes, [chart]))
}

fn process(snapshot: &ConsoleSnapshot) -> Option<HtmlElement> {
    let process = snapshot.process.as_ref()?;
    let cores = process.cpu_cores.map_or_else(|| NOTHING.to_owned(), |cores| format!("{cores:.2}"));
    let memory = match (process.memory_bytes, process.memory_bytes_max) {
        (Some(used), Some(max)) => format!("memory {} of {}", bytes(used), bytes(max)),
        (Some(used), None) => format!("memory {}", bytes(used)),
        (None, _) => format!("memory {NOTHING}"),
    };
    let [open, max] = [process.connections, process.connections_max].map(whole);
    Some(tile("Process", &cores, "CPU cores", &[memory, format!("{open} of {max} connections")], []))
}

fn inspection(snapshot: &ConsoleSnapshot) -> Option<HtmlElement> {
    let inspection = snapshot.inspection.as_ref()?;
    let [answers, changes, older] = [inspection.answers, inspection.changes, inspection.older_than_promised].map(whole);
    let notes = [
        format!("{answers} answers and {changes} changes compared with the master"),
        format!("p99 of the age of answers {}", micros_or_nothing(inspection.age_p99_us)),
    ];
    let tile = tile("Freshness", &older, "answers older than promised", &notes, []);
    Some(if inspection.older_than_promised > 0 { tile.child(runbook::link(Runbook::OldAnswer)) } else { tile })
}

/// Formats a count.
pub fn whole(number: u64) -> String {
    count(usize::try_from(number).unwrap_or(usize::MAX))
}
