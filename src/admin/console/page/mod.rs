//! The page: what there is to see, section by section.

mod chart;
mod ring;
mod tables;
mod tiles;

pub use tables::{behind, summary};

use super::{
    format::{clock, span, timestamp},
    html::{HtmlElement, el},
    snapshot::ConsoleSnapshot,
};
use crate::{
    http::ServiceStatus,
    telemetry::events::{Event, EventKind},
};
use std::time::Duration;

const FRAME: &str = include_str!("../assets/console.html");
/// Problems that are shown; whoever has more has one cause.
const PROBLEMS_SHOWN: usize = 5;
/// Events that are shown; the facts have all.
const EVENTS_SHOWN: usize = 14;

/// The whole page.
pub fn page(snapshot: &ConsoleSnapshot) -> String {
    let (head, foot) = FRAME.split_once("{{view}}").expect("there is a place for it");
    let mut html = head.to_owned();
    view(snapshot).write(&mut html);
    html.push_str(foot);
    html
}

/// What changes.
pub fn view(snapshot: &ConsoleSnapshot) -> HtmlElement {
    el("div")
        .with("id", "view")
        .child(header(snapshot))
        .children(problems(snapshot))
        .child(tiles::tiles(snapshot))
        .child(
            el("section")
                .class("card shards")
                .child(el("h2").text(if snapshot.cluster { "Slots and shards" } else { "Ring and shards" }))
                .child(el("div").class("split").child(ring::ring(snapshot)).child(tables::shards(snapshot))),
        )
        .child(el("section").class("card").child(el("h2").text("Nodes")).child(tables::nodes(snapshot)))
        .child(el("div").class("pair").child(events(snapshot)).children(patterns(snapshot)))
}

fn header(snapshot: &ConsoleSnapshot) -> HtmlElement {
    let class = match snapshot.status {
        ServiceStatus::Ready => "good",
        ServiceStatus::Degraded => "warn",
        ServiceStatus::NotReady => "bad",
    };
    let about = format!("version {} · up for {}", snapshot.version, span(Duration::from_secs(snapshot.uptime_secs)));
    el("header")
        .child(el("h1").text("Cachefront"))
        .child(el("p").class(format!("status {class}")).text(snapshot.status.word()))
        .child(el("p").class("note").text(about))
}

fn problems(snapshot: &ConsoleSnapshot) -> Option<HtmlElement> {
    let item = |text: &String| el("li").text(text);
    let problems = &snapshot.problems;
    let more = problems.len().saturating_sub(PROBLEMS_SHOWN);
    let more = (more > 0).then(|| format!("and {more} more, see the tables"));
    let shown = problems.iter().take(PROBLEMS_SHOWN).chain(&more);
    (!problems.is_empty()).then(|| {
        el("section")
            .class(if problems.is_empty() { "callout" } else { "callout warn" })
            .with("aria-label", "What is wrong or changing")
            .child(el("ul").children(shown.map(item)))
    })
}

fn events(snapshot: &ConsoleSnapshot) -> HtmlElement {
    let item = |event: &Event| {
        let age = span(Duration::from_millis(snapshot.at_ms.saturating_sub(event.at_ms)));
        let times = if event.times > 1 { format!(" ({} times)", event.times) } else { String::new() };
        let (class, word) = kind(event.kind);
        el("li")
            .child(el("time").with("datetime", timestamp(event.at_ms)).text(clock(event.at_ms)))
            .child(el("span").class(format!("state {class}")).text(word))
            .child(el("span").class("what").text(format!("{}{times}", event.text)))
            .child(el("span").class("age").text(format!("{age} ago")))
    };
    el("section")
        .class("card")
        .child(el("h2").text("Events").child(el("small").text("UTC")))
        .child(el("ol").class("events").children(snapshot.events.iter().take(EVENTS_SHOWN).map(item)))
}

/// How an event looks, and what it is called.
fn kind(kind: EventKind) -> (&'static str, &'static str) {
    match kind {
        EventKind::Started => ("good", "started"),
        EventKind::Promotion => ("warn", "failover"),
        EventKind::SplitBrain => ("warn", "two masters"),
        EventKind::NodeLost => ("bad", "node lost"),
        EventKind::NodeConnected => ("good", "node back"),
        EventKind::Topology => ("plain", "topology"),
        EventKind::ReloadApplied => ("good", "reload"),
        EventKind::ReloadRefused => ("bad", "reload refused"),
        EventKind::Draining => ("warn", "stopping"),
        EventKind::OverloadBegan => ("bad", "overload"),
        EventKind::OverloadEnded => ("good", "overload over"),
    }
}

fn patterns(snapshot: &ConsoleSnapshot) -> Option<HtmlElement> {
    let patterns = snapshot.patterns.as_ref()?;
    Some(el("section").class("card").child(el("h2").text("Key patterns")).child(tables::patterns(patterns)))
}
