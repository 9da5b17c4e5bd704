//! The ring as a drawing: a circle in which each shard has an arc as large as its share of the keys.

use crate::admin::console::{
    format::percent,
    html::{HtmlElement, el},
    snapshot::{ConsoleSnapshot, ShardView},
};
use std::f64::consts::TAU;

/// The number of colours in the style sheet. Numbers in the circle distinguish shards of the same colour.
const COLOURS: usize = 8;
const RADIUS: f64 = 82.0;
const CENTRE: f64 = 110.0;
/// Smaller arcs have no room for their number.
const NUMBERED_SHARE_MIN: f64 = 0.03;
/// The gap between two arcs, as a part of the circle.
const GAP: f64 = 0.004;

/// Returns the CSS class of a shard's colour.
pub fn colour(position: usize) -> String {
    format!("c{}", position % COLOURS)
}

/// Draws the ring, or the slots of a cluster.
pub fn ring(snapshot: &ConsoleSnapshot) -> HtmlElement {
    let space = if snapshot.cluster { "slots" } else { "hash space" };
    let mut shares: Vec<String> =
        snapshot.shards.iter().take(16).map(|shard| format!("{} {}", shard.name, percent(shard.share))).collect();
    if snapshot.shards.len() > shares.len() {
        shares.push(format!("and {} more", snapshot.shards.len() - shares.len()));
    }
    let description = format!("Share of the {space} that each shard has: {}", shares.join(", "));
    let nodes: usize = snapshot.shards.iter().map(|shard| shard.nodes.len()).sum();
    el("svg")
        .class("ring")
        .with("viewBox", "0 0 220 220")
        .with("role", "img")
        .with("aria-label", description)
        .children(arcs(&snapshot.shards))
        .child(caption(-4.0, "ring-count", &counted(snapshot.shards.len(), "shard")))
        .child(caption(16.0, "ring-note", &counted(nodes, "node")))
}

/// Writes a text into the middle of the circle.
fn caption(offset: f64, class: &str, text: &str) -> HtmlElement {
    el("text").class(class).with("x", CENTRE).with("y", CENTRE + offset).text(text)
}

/// Returns a count with its noun, in the plural where needed.
pub fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

fn arcs(shards: &[ShardView]) -> Vec<HtmlElement> {
    let gap = if shards.len() > 1 { GAP } else { 0.0 };
    let mut start = 0.0;
    let (mut arcs, mut numbers) = (Vec::new(), Vec::new());
    for (position, shard) in shards.iter().enumerate() {
        let end = start + shard.share;
        let lost = if shard.writable { "" } else { " lost" };
        let class = format!("arc {}{lost}", colour(position));
        let title = el("title").text(format!("{}: {}", shard.name, percent(shard.share)));
        // Half of the gap on each side, but never more than a third of the arc.
        let margin = (gap / 2.0).min(shard.share / 3.0);
        if shard.share > 0.999 {
            let circle = el("circle").class(class).with("cx", CENTRE).with("cy", CENTRE).with("r", RADIUS);
            arcs.push(circle.child(title));
        } else if shard.share > 0.0 {
            arcs.push(el("path").class(class).with("d", arc(start + margin, end - margin)).child(title));
        }
        if shard.share >= NUMBERED_SHARE_MIN && shards.len() > 1 {
            let (x, y) = point(start + shard.share / 2.0);
            let text = el("text").class(format!("arc-number{lost}")).with("x", short(x)).with("y", short(y + 4.5));
            numbers.push(text.text(position + 1));
        }
        start = end;
    }
    arcs.extend(numbers);
    arcs
}

fn arc(start: f64, end: f64) -> String {
    let ((x, y), (to_x, to_y)) = (point(start), point(end));
    let large = u8::from(end - start > 0.5);
    format!("M{} {}A{RADIUS} {RADIUS} 0 {large} 1 {} {}", short(x), short(y), short(to_x), short(to_y))
}

/// Returns a point of the circle. `part` 0 is the top, and it grows clockwise.
fn point(part: f64) -> (f64, f64) {
    let (sine, cosine) = (part * TAU).sin_cos();
    (CENTRE + RADIUS * sine, CENTRE - RADIUS * cosine)
}

fn short(number: f64) -> String {
    format!("{number:.2}")
}
