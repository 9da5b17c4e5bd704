//! The page, section by section.

mod chart;
mod failures;
mod impact;
mod ring;
mod runbook;
mod tables;
mod tiles;

pub use runbook::page as runbooks;
pub use tables::{WriteTarget, behind, shard_state, summary, writes_go_to};

use super::{
    format::{clock, span, timestamp},
    html::{HtmlElement, el},
    runbook::Runbook,
    snapshot::ConsoleSnapshot,
};
use crate::{
    http::ServiceStatus,
    telemetry::events::{Event, EventKind},
};
use std::time::Duration;

const FRAME: &str = concat!(include_str!("../assets/head.html"), include_str!("../assets/console.html"));
/// Maximum number of problems that the page shows. More of them usually have one cause.
const PROBLEMS_SHOWN: usize = 5;
/// Time before the end of the certificate from which on the page warns.
const CERTIFICATE_NEAR_SECS: u64 = 14 * 86_400;
/// Maximum number of events that the page shows. The snapshot has all events.
const EVENTS_SHOWN: usize = 14;

/// Returns the whole page.
pub fn page(snapshot: &ConsoleSnapshot) -> String {
    let (head, foot) = FRAME.split_once("{{view}}").expect("the frame has a placeholder");
    let mut html = head.to_owned();
    view(snapshot).write(&mut html);
    html.push_str(foot);
    html
}

/// Returns the part of the page that changes.
pub fn view(snapshot: &ConsoleSnapshot) -> HtmlElement {
    el("div")
        .with("id", "view")
        .child(header(snapshot))
        .children(problems(snapshot))
        .child(tiles::tiles(snapshot))
        .child(el("div").class("pair news").child(events(snapshot)).child(failures::card(snapshot)))
        .child(
            el("section")
                .class("card shards")
                .child(el("h2").text(if snapshot.cluster { "Slots and shards" } else { "Ring and shards" }))
                .child(el("div").class("split").child(ring::ring(snapshot)).child(tables::shards(snapshot))),
        )
        .child(el("section").class("card").child(el("h2").text("Nodes")).child(tables::nodes(snapshot)))
        .children(patterns(snapshot))
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
        .child(el("p").class("instance").child(el("code").text(&snapshot.instance)))
        .child(el("p").class("note").text(about))
        .children(certificate(snapshot))
}

/// Returns the end of the certificate, with a link to the runbook when it is near.
fn certificate(snapshot: &ConsoleSnapshot) -> Option<HtmlElement> {
    let until_secs = u64::try_from(snapshot.process.as_ref()?.certificate_until_secs?).ok()?;
    let now_secs = snapshot.at_ms / 1000;
    let text = if until_secs <= now_secs {
        format!("certificate has expired on {}", timestamp(until_secs.saturating_mul(1000)))
    } else {
        format!("certificate ends in {}", span(Duration::from_secs(until_secs - now_secs)))
    };
    let is_near = until_secs < now_secs + CERTIFICATE_NEAR_SECS;
    let note = el("p").class(if is_near { "certificate alarm" } else { "certificate" }).text(text);
    Some(if is_near { note.text(" ").child(runbook::link(Runbook::Certificate)) } else { note })
}

fn problems(snapshot: &ConsoleSnapshot) -> Option<HtmlElement> {
    let problems = &snapshot.problems;
    let more = problems.len().saturating_sub(PROBLEMS_SHOWN);
    let more = (more > 0).then(|| format!("and {more} more, see the tables"));
    let shown = problems.iter().take(PROBLEMS_SHOWN).chain(&more);
    let impacts = impact::impacts(snapshot);
    let is_writable = snapshot.shards.iter().all(|shard| shard.writable);
    (!problems.is_empty() || !impacts.is_empty()).then(|| {
        el("section")
            .class(if is_writable { "callout warn" } else { "callout bad" })
            .with("aria-label", "Problems")
            .child(el("ul").children(impacts).children(shown.map(|text| el("li").text(text))))
    })
}

fn events(snapshot: &ConsoleSnapshot) -> HtmlElement {
    let items = snapshot.events.iter().take(EVENTS_SHOWN).map(|event| event_item(event, snapshot.at_ms));
    el("section")
        .class("card")
        .child(el("h2").text("Events").child(el("small").text("UTC")))
        .child(el("ol").class("events").children(items))
}

fn event_item(event: &Event, now_ms: u64) -> HtmlElement {
    let age = span(Duration::from_millis(now_ms.saturating_sub(event.at_ms)));
    let times = if event.times > 1 { format!(" ({} times)", event.times) } else { String::new() };
    let (class, word) = event_mark(event);
    el("li")
        .child(el("time").with("datetime", timestamp(event.at_ms)).text(clock(event.at_ms)))
        .child(el("span").class(format!("state {class}")).text(word))
        .child(el("span").class("what").text(format!("{}{times}", event.text)))
        .child(el("span").class("age").text(format!("{age} ago")))
}

/// Returns the CSS class of an event, and its word.
fn event_mark(event: &Event) -> (&'static str, &'static str) {
    match event.kind {
        EventKind::Started => ("good", "started"),
        EventKind::Promotion => ("warn", "failover"),
        EventKind::SplitBrain => ("warn", "two masters"),
        EventKind::MasterHeld => ("bad", "master held"),
        EventKind::MasterDeposed => ("bad", "master deposed"),
        EventKind::MasterAccepted => ("good", "master accepted"),
        EventKind::NodeLost if event.of_master => ("bad", "master lost"),
        EventKind::NodeLost => ("warn", "replica lost"),
        EventKind::NodeConnected if event.of_master => ("good", "master back"),
        EventKind::NodeConnected => ("good", "replica back"),
        EventKind::StaleAnswer => ("bad", "stale answer"),
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
